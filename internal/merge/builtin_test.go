package merge

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	smd "sigs.k8s.io/structured-merge-diff/v6/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// TestBuiltinSchema compares diff's schema of the lists in the built-in kinds
// with the published schemas.
func TestBuiltinSchema(t *testing.T) {
	converter := applyconfigurations.NewTypeConverter(scheme.Scheme)
	seen := map[string]bool{}
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if !strings.HasPrefix(gvk.Version, "v") || strings.Contains(gvk.Version, "alpha") || strings.Contains(gvk.Version, "beta") {
			continue
		}
		o, err := scheme.Scheme.New(gvk)
		if err != nil {
			t.Fatal(err)
		}
		o.GetObjectKind().SetGroupVersionKind(gvk)
		v, err := converter.ObjectToTyped(o)
		if err != nil {
			continue // lists and options are not objects
		}
		obj := diff.ObjectOf(&unstructured.Unstructured{Object: map[string]any{"apiVersion": gvk.GroupVersion().String(), "kind": gvk.Kind}})
		compareSchema(t, seen, v.Schema(), v.TypeRef(), obj, nil)
	}
	if len(seen) < 100 {
		t.Errorf("only %d lists were seen", len(seen))
	}
}

func compareSchema(t *testing.T, seen map[string]bool, s *smd.Schema, ref smd.TypeRef, o diff.Object, path []string) {
	if len(path) > 0 {
		switch last := path[len(path)-1]; {
		case last == "status", last == "managedFields":
			return // never compared
		case last == "data" && o.Kind == "ControllerRevision", last == "parameters" && len(path) > 1 && path[len(path)-2] == "opaque", last == "openAPIV3Schema":
			return // any JSON
		}
	}
	atom, ok := s.Resolve(ref)
	if !ok {
		return
	}
	if atom.List != nil {
		node := diff.Builtin().Node(o, path)
		got := fmt.Sprint("keys ", sorted(node.Keys), " set ", node.Set)
		want := "keys [] set false"
		if atom.List.ElementRelationship == smd.Associative {
			want = fmt.Sprint("keys ", sorted(atom.List.Keys), " set ", len(atom.List.Keys) == 0)
		}
		where := o.Kind + " " + strings.Join(path, ".")
		seen[where] = true
		if got != want {
			t.Errorf("%s: diff has %s, the schema %s", where, got, want)
		}
		compareSchema(t, seen, s, atom.List.ElementType, o, append(slices.Clone(path), "[]"))
	}
	if atom.Map != nil {
		for _, f := range atom.Map.Fields {
			compareSchema(t, seen, s, f.Type, o, append(slices.Clone(path), f.Name))
		}
		if len(path) > 0 && len(atom.Map.Fields) == 0 {
			node := diff.Builtin().Node(o, path)
			if atom.Map.ElementRelationship == smd.Atomic != node.Atomic {
				t.Errorf("%s %s: atomic %v in diff", o.Kind, strings.Join(path, "."), node.Atomic)
			}
		}
	}
}

func sorted(in []string) []string {
	out := slices.Clone(in)
	slices.Sort(out)
	return out
}
