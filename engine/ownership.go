package engine

import (
	"bytes"
	"encoding/json"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// Settle says how a field that another manager owns and that the release sets
// differently is settled.
type Settle string

const (
	// Fail reports a problem, and the plan is not applied. The default.
	Fail Settle = "Fail"
	// Take takes the field from the other manager.
	Take Settle = "Take"
	// Yield leaves the field to the other manager: it is left out of what is
	// applied.
	Yield Settle = "Yield"
)

// Ownership settles conflicts over some fields. Empty parts match all.
type Ownership struct {
	// Manager is a pattern of the other field manager's name, with * and ?.
	Manager string
	// Kind is "Deployment", or "Deployment.apps" where two groups have one.
	Kind string
	// Path is a field in the notation of diff.Field, such as
	// `spec.template.spec.containers[name="web"].image`; it covers all below.
	Path   string
	Settle Settle
}

func (o Ownership) matches(manager, fieldPath string, object diff.Object) bool {
	if o.Kind != "" && o.Kind != object.Kind && o.Kind != object.Kind+"."+object.Group {
		return false
	}
	if o.Manager != "" {
		if ok, err := path.Match(o.Manager, manager); err != nil || !ok {
			return false
		}
	}
	rest, ok := strings.CutPrefix(fieldPath, o.Path)
	return ok && (o.Path == "" || rest == "" || rest[0] == '.' || rest[0] == '[')
}

// settle is what becomes of a field that manager owns.
func (pl *planning) settle(manager, fieldPath string, o diff.Object) Settle {
	if pl.force || pl.isParent(o) || pl.takes != "" && isWithin(fieldPath, pl.takes) {
		return Take
	}
	for _, rule := range pl.e.opts.Ownership {
		if rule.matches(manager, fieldPath, o) {
			return rule.Settle
		}
	}
	if pl.correct {
		return Take
	}
	return Fail
}

// clientSideApply is the manager of kubectl apply without --server-side.
const clientSideApply = "kubectl-client-side-apply"

// formerManagers are the field managers whose fields in the live object count
// as the release's own: those of the options; whoever recorded a revision that
// the plan starts from, or wrote the release's mark into the object by other
// means than server-side apply, which is Helm, under the name of whatever
// program it was built into; and, of an object that is being adopted, kubectl's
// client-side apply.
func (pl *planning) formerManagers(live *unstructured.Unstructured) []string {
	managers := slices.Clone(pl.e.opts.FormerManagers)
	switch owner(live) {
	case pl.key:
		managers = pl.withRecorders(managers)
	case Key{}:
		if live != nil && pl.adopt {
			managers = appendNew(managers, clientSideApply)
		}
		if live != nil && live.GroupVersionKind().GroupKind() == crdKind { // those of crds/ have no mark
			managers = pl.withRecorders(managers)
		}
		return managers
	default:
		return managers
	}
	for _, entry := range live.GetManagedFields() {
		if entry.Operation == metav1.ManagedFieldsOperationUpdate && ownsMark(entry) {
			managers = appendNew(managers, entry.Manager)
		}
	}
	return managers
}

// ownsMark says whether a manager has written which release an object is of.
func ownsMark(entry metav1.ManagedFieldsEntry) bool {
	return entry.FieldsV1 != nil && bytes.Contains(entry.FieldsV1.GetRawBytes(), []byte(`"f:`+annotationName+`"`))
}

// isFormer says of an entry of managedFields, as it is in the object, whether
// its manager may be one of formerManagers.
func (pl *planning) isFormer(entry map[string]any) bool {
	name, _ := entry["manager"].(string)
	if name == clientSideApply || slices.Contains(pl.withRecorders(pl.e.opts.FormerManagers), name) {
		return true
	}
	_, marks, _ := unstructured.NestedFieldNoCopy(entry, "fieldsV1", "f:metadata", "f:annotations", "f:"+annotationName)
	return marks && entry["operation"] == string(metav1.ManagedFieldsOperationUpdate)
}

// withRecorders adds who recorded the revisions that the plan starts from.
func (pl *planning) withRecorders(managers []string) []string {
	managers = slices.Clip(managers)
	for _, r := range pl.past.base {
		if r.Recorder != "" {
			managers = appendNew(managers, r.Recorder)
		}
	}
	return managers
}

// lastApplied is the configuration that the former managers of live applied
// last: the release's, or what kubectl wrote down.
func (pl *planning) lastApplied(it *item) *unstructured.Unstructured {
	if it.base != nil || it.live == nil {
		return it.base
	}
	if it.crd { // no revision holds it: all that Helm wrote into it was the chart's
		return it.live
	}
	text := it.live.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	u := &unstructured.Unstructured{}
	if text == "" || json.Unmarshal([]byte(text), &u.Object) != nil || identity(diff.ObjectOf(u)) != identity(it.object) {
		return nil
	}
	return u
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
