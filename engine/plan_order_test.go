package engine

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// ordered makes steps of "NAME" or "NAME wave=1 on=a,b", all of them ConfigMaps
// in the release's namespace, or Namespaces where the name begins with "ns-".
func ordered(action diff.Action, texts ...string) []step {
	var out []step
	for _, text := range texts {
		words := strings.Fields(text)
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "ConfigMap"}}
		if u.SetName(words[0]); strings.HasPrefix(words[0], "ns-") {
			u.SetKind("Namespace")
		} else {
			u.SetNamespace(testKey.Namespace)
		}
		annotations := map[string]string{}
		for _, w := range words[1:] {
			if wave, ok := strings.CutPrefix(w, "wave="); ok {
				annotations[AnnotationWave] = wave
			}
			if on, ok := strings.CutPrefix(w, "on="); ok {
				var refs []string
				for name := range strings.SplitSeq(on, ",") {
					refs = append(refs, "/namespaces/shop/ConfigMap/"+name)
				}
				annotations[AnnotationDependsOn] = strings.Join(refs, ",")
			}
		}
		u.SetAnnotations(annotations)
		o := &object{location: location{target: target{id: diff.ObjectOf(u), mapping: mappingOf(u)}}}
		if action == diff.Deleted {
			o.live = u
		} else {
			o.desired = u
		}
		out = append(out, step{object: o, change: diff.Change{Object: o.id, Action: action}})
	}
	return out
}

func TestApplyOrder(t *testing.T) {
	for name, c := range map[string]struct {
		steps    []string
		waves    map[int]int
		needs    map[int][]int // those that are not empty
		problems map[int]string
	}{
		"none":                      {steps: []string{"a", "b"}},
		"a need":                    {steps: []string{"a", "b on=a"}, needs: map[int][]int{1: {0}}},
		"waves":                     {steps: []string{"a", "b wave=1", "c wave=-1"}, waves: map[int]int{1: 1, 2: -1}},
		"an earlier wave fulfils":   {steps: []string{"a", "b wave=1 on=a"}, waves: map[int]int{1: 1}},
		"a later wave contradicts":  {steps: []string{"a wave=2", "b on=a"}, waves: map[int]int{0: 2}, problems: map[int]string{1: "is in wave 0 and depends on ConfigMap shop/a, which is in wave 2"}},
		"what there is not":         {steps: []string{"a on=x"}, problems: map[int]string{0: "depends on /namespaces/shop/ConfigMap/x, which the release does not have"}},
		"a wave that is no number":  {steps: []string{"a wave=soon"}, problems: map[int]string{0: "soon"}},
		"a circle is opened":        {steps: []string{"a on=b", "b on=a"}, needs: map[int][]int{0: {1}}, problems: map[int]string{0: "in a circle: ConfigMap shop/a → ConfigMap shop/b → ConfigMap shop/a"}},
		"a circle of one":           {steps: []string{"a on=a"}, problems: map[int]string{0: "in a circle"}},
		"several needs, each once":  {steps: []string{"a", "b", "c on=a,b,a"}, needs: map[int][]int{2: {0, 1}}},
		"a chain, in another order": {steps: []string{"c on=b", "b on=a", "a"}, needs: map[int][]int{0: {1}, 1: {2}}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &builder{premise: premise{key: testKey, mode: deploying}}
			got, found := b.applyOrder(ordered(diff.Created, c.steps...))
			checkOrder(t, got, c.waves, c.needs)
			for i, text := range c.problems {
				if len(found.problems[i]) != 1 || !strings.Contains(found.problems[i][0].Message, text) {
					t.Errorf("step %d has problems %v, want %q", i, found.problems[i], text)
				}
			}
			if len(found.problems) != len(c.problems) {
				t.Errorf("problems %v", found.problems)
			}
			// For a rollback the same is only a warning.
			b.mode = rollingBack
			_, found = b.applyOrder(ordered(diff.Created, c.steps...))
			if len(found.problems) > 0 || len(found.warnings) != len(c.problems) {
				t.Errorf("on the way back: problems %v, warnings %v", found.problems, found.warnings)
			}
		})
	}
}

func TestDeleteOrder(t *testing.T) {
	for name, c := range map[string]struct {
		steps []string
		waves map[int]int
		needs map[int][]int
	}{
		"none":                     {steps: []string{"a", "b"}},
		"a need":                   {steps: []string{"a", "b on=a"}, needs: map[int][]int{1: {0}}},
		"what cannot be read":      {steps: []string{"a wave=soon", "b on=a"}, needs: map[int][]int{1: {0}}},
		"a need of another wave":   {steps: []string{"a", "b wave=1 on=a"}, waves: map[int]int{1: 1}},
		"a circle blocks nothing":  {steps: []string{"a on=b", "b on=a"}, needs: map[int][]int{0: {1}}},
		"one that needs itself":    {steps: []string{"a on=a", "b on=a"}, needs: map[int][]int{1: {0}}},
		"one that is not deleted":  {steps: []string{"a on=x"}},
		"needs within a wave hold": {steps: []string{"a wave=1", "b wave=1 on=a"}, waves: map[int]int{0: 1, 1: 1}, needs: map[int][]int{1: {0}}},
	} {
		t.Run(name, func(t *testing.T) {
			checkOrder(t, deleteOrder(ordered(diff.Deleted, c.steps...)), c.waves, c.needs)
		})
	}
}

func checkOrder(t *testing.T, got *annotatedOrder, waves map[int]int, needs map[int][]int) {
	t.Helper()
	if got == nil {
		got = &annotatedOrder{}
	}
	have := maps.Clone(got.needs)
	maps.DeleteFunc(have, func(_ int, on []int) bool { return len(on) == 0 })
	for _, on := range have {
		slices.Sort(on)
	}
	if len(have)+len(needs) > 0 && !reflect.DeepEqual(have, needs) {
		t.Errorf("needs %v, want %v", have, needs)
	}
	if len(got.waves)+len(waves) > 0 && !reflect.DeepEqual(got.waves, waves) {
		t.Errorf("waves %v, want %v", got.waves, waves)
	}
}
