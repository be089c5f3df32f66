package engine

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// hook is one hook of a revision that is to run.
type hook struct {
	object diff.Object
	parsed render.Object
	weight int
	number int // among all hooks of the revision
	stored *storage.Hook
}

// hooksFor are the hooks of a revision that run at an event (empty: all hooks),
// in Helm's order: by weight, then by name.
func hooksFor(record *storage.Record, event string) []hook {
	if record == nil {
		return nil
	}
	var out []hook
	for i := range record.Hooks {
		h := &record.Hooks[i]
		if event != "" && !slices.Contains(h.Events, event) {
			continue
		}
		objects, err := parseManifest(h.Manifest)
		if err != nil || len(objects) != 1 {
			continue // it was one object when it was rendered
		}
		parsed := objects[0]
		if parsed.Source == unknownSource {
			parsed.Source = h.Path
		}
		out = append(out, hook{object: diff.ObjectOf(parsed.Unstructured), parsed: parsed, weight: h.Weight, number: i, stored: h})
	}
	slices.SortStableFunc(out, func(a, b hook) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.stored.Name, b.stored.Name))
	})
	return out
}

// Phases of a hook's run, in Helm's words.
const (
	hookRunning   = "Running"
	hookSucceeded = "Succeeded"
	hookFailed    = "Failed"
)

// hookID is by which notes know the run of a hook.
func hookID(event string, h hook) string { return fmt.Sprintf("%s/%d", event, h.number) }

// annotationHook is Helm's annotation by which a hook is recognised.
const annotationHook = "helm.sh/hook"

// notOurHook is why a live object is no hook of the release, so that no hook may
// replace it; empty if it is one. Hooks that Helm created carry no marks of a
// release. leaving: the object is one of the release's own, and leaves it now.
func notOurHook(k Key, live *unstructured.Unstructured, leaving bool) string {
	other := owner(live)
	switch {
	case other == k && leaving:
		return ""
	case other != k && other != (Key{}):
		return "it belongs to release " + other.String()
	case live.GetAnnotations()[annotationHook] != "":
		return ""
	case other == k:
		return "it is an object of the release, and no hook"
	}
	return "it exists and is no hook of a release"
}

// deletedBefore reports whether what an earlier run of the hook left is deleted
// before it is created, which is Helm's default. CRDs stay, as with Helm: all
// objects of their kinds would be deleted with them.
func (h hook) deletedBefore() bool {
	policies := h.stored.DeletePolicies
	return (len(policies) == 0 || slices.Contains(policies, string(render.HookBeforeHookCreation))) &&
		h.parsed.GroupVersionKind().GroupKind() != crdKind
}

// endsByItself reports whether a hook has to complete.
func endsByItself(t target) bool { return t.id.Kind == "Job" || t.id.Kind == "Pod" }

// shownAs is a hook's object with the beginning of its name, if the API server
// has yet to generate the rest.
func shownAs(o diff.Object, u *unstructured.Unstructured) diff.Object {
	if o.Name == "" {
		o.Name = u.GetGenerateName() + "*"
	}
	return o
}

// leftBehindHint is what to do about a hook that an earlier run left, and that
// its policy does not delete.
const leftBehindHint = "delete it, or add before-hook-creation to its annotation helm.sh/hook-delete-policy"

// hookObjects are the objects of all hooks of a revision.
func hookObjects(record *storage.Record) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, h := range record.Hooks {
		objects, err := parseManifest(h.Manifest)
		if err != nil {
			continue // nor will it run
		}
		for _, o := range objects {
			out = append(out, o.Unstructured)
		}
	}
	return out
}
