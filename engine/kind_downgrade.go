package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/definition"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// keepsNewer is why a live CRD of crds/ is left as it is: it has what the chart's
// lacks, and another release has brought that, or has objects of the kind. It is
// empty if there is no such reason. What only this release has brought it may
// remove again, as far as nothing uses it.
func (j *judge) keepsNewer(ctx context.Context, o *object) (string, error) {
	if o.origin != fromCRDs || o.live == nil || j.policy.definitions == CRDsUnsafeAll {
		return "", nil
	}
	lost, err := definition.Downgrades(o.live, o.desired)
	if err != nil || len(lost) == 0 {
		return "", nil // checkDefinition reports what is wrong with a definition
	}
	const hint = "; upgrade the chart, or set Options.CRDs to CRDsUnsafeAll to go back"
	older, err := j.isOlder(o)
	if err != nil || !older {
		return "", err
	}
	theirs, err := j.notBrought(ctx, o, lost)
	if err != nil {
		return "", err
	}
	if len(theirs) > 0 {
		return fmt.Sprintf("the definition is newer than the chart's and stays: it has %s, which this release has not brought"+hint, someOf(theirs)), nil
	}
	users, err := j.usersOf(ctx, o)
	if err != nil || users.count() == 0 {
		return "", err
	}
	return fmt.Sprintf("the definition is newer than the chart's and stays: it has %s, and other releases use it for %s"+hint, someOf(lost), users.some()), nil
}

// isOlder reports whether the chart's CRD is older than the live one, which has
// what it lacks: it has nothing that the live one lacks, or is what the release
// brought last, before another one changed it, or has no version as high.
// Otherwise each has what the other lacks, and the chart's is taken as newer.
func (j *judge) isOlder(o *object) (bool, error) {
	gained, err := definition.Downgrades(o.desired, o.live)
	if err != nil || len(gained) == 0 {
		return err == nil, nil // checkDefinition reports what is wrong with a definition
	}
	if definition.NewestVersion(o.live) != definition.NewestVersion(o.desired) {
		return definition.IsNewer(definition.NewestVersion(o.live), definition.NewestVersion(o.desired)), nil
	}
	if j.history.last == nil {
		return false, nil
	}
	crd, err := broughtBy(j.history.last, o)
	if err != nil || crd == nil {
		return false, err
	}
	return jsonEqual(crd.Object["spec"], o.rendered.Object["spec"]), nil
}

// notBrought is what of a definition's losses no revision of the release had.
// Revisions before the newest one count only if nothing was written since that
// was recorded.
func (j *judge) notBrought(ctx context.Context, o *object, lost []string) ([]string, error) {
	last := j.history.last
	if last == nil {
		return lost, nil
	}
	lost, err := withoutBrought(last, o, lost)
	if err != nil || len(lost) == 0 || last.Created().Before(lastWrite(o.live)) {
		return lost, err
	}
	for _, r := range slices.Backward(j.history.inventory.Revisions) {
		if r.Revision == last.Revision || len(lost) == 0 {
			continue
		}
		record, err := j.lister.revision(ctx, j.key, r.Revision)
		if err != nil {
			return nil, err
		}
		if record == nil {
			continue
		}
		if lost, err = withoutBrought(record, o, lost); err != nil {
			return nil, err
		}
	}
	return lost, nil
}

// withoutBrought is lost without what the CRD of a recorded revision would lose
// as well.
func withoutBrought(r *storage.Record, o *object, lost []string) ([]string, error) {
	crd, err := broughtBy(r, o)
	if err != nil || crd == nil {
		return lost, err
	}
	brought, err := definition.Downgrades(crd, o.desired)
	if err != nil {
		return lost, nil // nor was it installed
	}
	return slices.DeleteFunc(slices.Clone(lost), func(l string) bool { return slices.Contains(brought, l) }), nil
}

// broughtBy is a CRD as the chart of a recorded revision has it; nil if it has
// none of that name, or if its files were not stored.
func broughtBy(r *storage.Record, o *object) (*unstructured.Unstructured, error) {
	files, err := r.Definitions()
	if err != nil {
		return nil, fmt.Errorf("read the chart of revision %d: %w", r.Revision, err)
	}
	for _, f := range files {
		objects, err := parseManifest(string(f.Data))
		if err != nil {
			continue // nor was it installed
		}
		for _, u := range objects {
			if u.GroupVersionKind().GroupKind() == crdKind && u.GetName() == o.id.Name {
				return u.Unstructured, nil
			}
		}
	}
	return nil, nil
}

// lastWrite is when anything but the status of an object was written last; zero
// if that is not known.
func lastWrite(u *unstructured.Unstructured) time.Time {
	var out time.Time
	for _, e := range u.GetManagedFields() {
		if e.Time != nil && e.Subresource == "" && e.Time.After(out) {
			out = e.Time.Time
		}
	}
	return out
}

// usersOf are objects of a live CRD's kind that belong to other releases.
func (j *judge) usersOf(ctx context.Context, o *object) (foundObjects, error) {
	kind, served := definedKind(o.live)
	if !served {
		return foundObjects{}, nil
	}
	c := counted{kind: kind}
	err := j.count(ctx, &c, "", func(m *metav1.PartialObjectMetadata) bool {
		name := m.Annotations[annotationName]
		return name != "" && Key{Namespace: m.Annotations[annotationNamespace], Name: name} != j.key
	})
	return c.found, err
}
