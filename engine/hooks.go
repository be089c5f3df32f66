package engine

import (
	"cmp"
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
	stored *storage.Hook
}

// hooksFor are the hooks of a revision that run at an event, in Helm's order:
// by weight, then by name.
func hooksFor(record *storage.Record, event string) []hook {
	if record == nil {
		return nil
	}
	var out []hook
	for i := range record.Hooks {
		h := &record.Hooks[i]
		if !slices.Contains(h.Events, event) {
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
		out = append(out, hook{object: diff.ObjectOf(parsed.Unstructured), parsed: parsed, weight: h.Weight, stored: h})
	}
	slices.SortStableFunc(out, func(a, b hook) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.stored.Name, b.stored.Name))
	})
	return out
}

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
