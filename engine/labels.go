package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// removesLabel is the value that removes a label of a release, as with Helm.
const removesLabel = "null"

// mergedLabels are the labels of a release with others over them.
func mergedLabels(before, given map[string]string) map[string]string {
	out := map[string]string{}
	for _, labels := range []map[string]string{before, given} {
		for name, value := range labels {
			if out[name] = value; value == removesLabel {
				delete(out, name)
			}
		}
	}
	return out
}

// validLabels returns an error for labels that Kubernetes would refuse, and for
// those by which revisions are found.
func validLabels(name string, given map[string]string) error {
	if errs := metavalidation.ValidateLabels(given, field.NewPath(name)); len(errs) > 0 {
		return invalid(name, "are not accepted: %v", errs[0])
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if storage.SystemLabel(key) {
			return invalid(name, "has %q, by which revisions are found; accepted are all but name, owner, status, version, createdAt and modifiedAt", key)
		}
	}
	return nil
}

// labelNotes says which labels of the release a deploy changes.
func labelNotes(before, after map[string]string) []string {
	var changed []string
	for _, name := range sets.List(sets.KeySet(before).Union(sets.KeySet(after))) {
		was, had := before[name]
		is, has := after[name]
		switch {
		case had && !has:
			changed = append(changed, "without "+name)
		case !had:
			changed = append(changed, name+"="+is)
		case was != is:
			changed = append(changed, fmt.Sprintf("%s=%s (was %s)", name, is, was))
		}
	}
	if changed == nil {
		return nil
	}
	return []string{"labels of the release: " + strings.Join(changed, ", ")}
}

// releaseSelector is the selector of ListOptions.
func releaseSelector(field, text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, invalid(field, "is no label selector: %v", err)
	}
	return selector, nil
}
