package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/graph"
)

// Orders drawn at random, with waves, dependencies against the order of kinds,
// and objects that stay as they are: none is a circle, and all hold.
func TestSchedulesAreInOrder(t *testing.T) {
	kinds := []string{"Namespace", "ConfigMap", "Service", "Deployment", "Ingress", "Gadget", "APIService"}
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		o := &order{map[*item]int{}, map[*item][]*item{}}
		items := make([]*item, 1+rnd.IntN(15))
		for i := range items {
			items[i] = &item{object: diff.Object{Kind: kinds[rnd.IntN(len(kinds))], Name: fmt.Sprint("o", i)}, mapping: &meta.RESTMapping{}, change: diff.Change{Action: diff.Created}}
			if rnd.IntN(4) == 0 {
				items[i].change.Action = diff.Unchanged
			}
			if rnd.IntN(5) == 0 {
				o.waves[items[i]] = rnd.IntN(3)
			}
		}
		for range rnd.IntN(2 * len(items)) { // only to those drawn before, so that there is no circle
			a := rnd.IntN(len(items))
			if b := rnd.IntN(a + 1); b < a && o.waves[items[a]] == o.waves[items[b]] {
				o.need(items[a], items[b])
			}
		}
		slices.SortStableFunc(items, func(a, b *item) int { return stageOf(a.object) - stageOf(b.object) })

		r := &run{e: &Engine{}, p: &Plan{}}
		s := &schedule{r: r, o: o, items: items, steps: make([]graph.Step, len(items)), index: map[*item]int{}, ready: map[*item]int{}, ends: map[int]int{}}
		for i, it := range items {
			s.index[it] = i
		}
		s.layOut()
		at := times(t, seed, s.steps)
		wanted := s.wanted()
		for i, it := range items {
			for _, on := range o.needs[it] {
				if wanted[it] && at[s.index[on]] > at[i] {
					t.Fatalf("seed %d: %s comes before %s, on which it depends", seed, it.object, on.object)
				}
			}
			for j, other := range items {
				free := len(o.needs[it]) == 0 && len(o.needs[other]) == 0
				if o.waves[it] < o.waves[other] && at[i] > at[j] || free && o.waves[it] == o.waves[other] && stageOf(it.object) < stageOf(other.object) && at[i] > at[j] {
					t.Fatalf("seed %d: %s (wave %d) comes after %s (wave %d)", seed, it.object, o.waves[it], other.object, o.waves[other])
				}
			}
		}

		slices.Reverse(items)
		for _, it := range items {
			it.change.Action = diff.Deleted
		}
		m := r.layOutRemoval(items, o)
		at = times(t, seed, m.steps)
		for i, it := range items {
			for j, other := range items {
				if slices.Contains(o.needs[it], other) && at[i] > at[j] || o.waves[it] > o.waves[other] && at[i] > at[j] {
					t.Fatalf("seed %d: %s is deleted after %s", seed, it.object, other.object)
				}
			}
		}
	}
}

// times runs steps that do nothing, and says when each ended.
func times(t *testing.T, seed uint64, steps []graph.Step) []int {
	t.Helper()
	at := make([]int, len(steps))
	var mu sync.Mutex
	clock := 0
	for i := range steps {
		steps[i].Do = func(context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			clock++
			at[i] = clock
			return nil
		}
	}
	if err := errors.Join(graph.Run(t.Context(), steps)...); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	return at
}

func TestDependsOn(t *testing.T) {
	for text, want := range map[string]string{
		"apps/namespaces/shop/Deployment/web":                "{apps  Deployment shop web}",
		" /namespaces/shop/ConfigMap/a ,\n/Namespace/shop\n": "{  ConfigMap shop a} {  Namespace  shop}",
		"storage.k8s.io/StorageClass/fast":                   "{storage.k8s.io  StorageClass  fast}",
		"":                                                   "",
		"Deployment/web":                                     "error",
		"apps/namespace/shop/Deployment/web":                 "error",
		"apps/namespaces//Deployment/web":                    "error",
		"apps/namespaces/shop/Deployment/":                   "error",
		"apps/v1/namespaces/shop/Deployment/web":             "error",
		"/ConfigMap/a,":                                      "error",
	} {
		got, err := dependsOn(annotated(AnnotationDependsOn, text))
		said := strings.Trim(fmt.Sprintf("%v", plainObjects(got)), "[]")
		if err != nil {
			said = "error"
		}
		if said != want {
			t.Errorf("%q: %s, %v, want %s", text, said, err, want)
		}
	}
}

func annotated(key, value string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAnnotations(map[string]string{key: value})
	return u
}

// plainObjects print their fields.
func plainObjects(objects []diff.Object) []struct{ Group, Version, Kind, Namespace, Name string } {
	var out []struct{ Group, Version, Kind, Namespace, Name string }
	for _, o := range objects {
		out = append(out, struct{ Group, Version, Kind, Namespace, Name string }(o))
	}
	return out
}

func TestWaves(t *testing.T) {
	for text, want := range map[string]int{"3": 3, " -2 ": -2, "": 0} {
		for _, key := range []string{AnnotationWave, AnnotationSyncWave} {
			if got, err := waveOf(annotated(key, text)); err != nil || got != want {
				t.Errorf("%s %q: %d, %v", key, text, got, err)
			}
		}
	}
	for _, text := range []string{"first", "1.5", "99999999999"} {
		if _, err := waveOf(annotated(AnnotationWave, text)); err == nil {
			t.Errorf("wave %q is taken", text)
		}
		if got, err := waveOf(annotated(AnnotationSyncWave, text)); err != nil || got != 0 {
			t.Errorf("sync-wave %q: %d, %v", text, got, err)
		}
	}
}
