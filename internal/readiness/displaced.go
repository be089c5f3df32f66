package readiness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

// displaced returns the trouble that another client has put something else in
// the place of what was applied: another object of the name, or other values in
// its spec.
func (t Target) displaced(obj *unstructured.Unstructured) (trouble, bool) {
	if !t.matches(obj) {
		return trouble{key: "gone", cause: CauseGone, reason: "Replaced", message: fmt.Sprintf("another object of this name has taken its place (uid %s, not %s)", obj.GetUID(), t.UID)}, true
	}
	if message := t.overwritten(obj); message != "" {
		return trouble{key: "overwritten", cause: CauseGone, reason: "Overwritten", message: message}, true
	}
	return trouble{}, false
}

// maxLost bounds how many fields a message names.
const maxLost = 3

// overwritten says who has changed which fields of the spec since the object was
// applied; empty if no one has.
func (t Target) overwritten(obj *unstructured.Unstructured) string {
	if t.Written == "" || obj.GetGeneration() <= t.Generation {
		return "" // its spec is as it was
	}
	var was metav1.ManagedFieldsEntry
	if json.Unmarshal([]byte(t.Written), &was) != nil {
		return ""
	}
	entries := obj.GetManagedFields()
	now := fieldpath.NewSet()
	for _, e := range entries {
		if e.Manager == was.Manager && e.Operation == was.Operation && e.Subresource == was.Subresource {
			now = fieldsOf(e)
			if was.Time != nil && e.Time != nil && e.Time.After(was.Time.Time) {
				return fmt.Sprintf("%s has written it again since (generation %d, not %d)", e.Manager, obj.GetGeneration(), t.Generation)
			}
		}
	}
	lost := fieldpath.NewSet()
	fieldsOf(was).Difference(now).Iterate(func(p fieldpath.Path) {
		if len(p) > 1 && p[0].FieldName != nil && *p[0].FieldName == "spec" && diff.FormatPath(p) != "spec.replicas" {
			lost.Insert(p.Copy())
		}
	})
	if lost.Empty() {
		return ""
	}
	var paths []string
	lost.Leaves().Iterate(func(p fieldpath.Path) { paths = append(paths, diff.FormatPath(p)) })
	slices.Sort(paths)
	if more := len(paths) - maxLost; more > 0 {
		paths = append(paths[:maxLost], fmt.Sprintf("%d more", more))
	}
	who := "another client"
	var others []string
	for _, e := range entries {
		if e.Manager != was.Manager && !fieldsOf(e).Intersection(lost).Empty() && !slices.Contains(others, e.Manager) {
			others = append(others, e.Manager)
		}
	}
	if len(others) > 0 {
		who = strings.Join(others, ", ")
	}
	return fmt.Sprintf("%s has changed what was deployed: %s", who, strings.Join(paths, ", "))
}

func fieldsOf(e metav1.ManagedFieldsEntry) *fieldpath.Set {
	set := fieldpath.NewSet()
	if e.FieldsV1 == nil || set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())) != nil {
		return fieldpath.NewSet()
	}
	return set
}
