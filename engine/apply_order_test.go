package engine

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/graph"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// stepOf is a step about an object that is wanted, unless it is deleted or
// kept.
func stepOf(kind, name string, a diff.Action, related ...diff.Change) step {
	o := &object{location: location{target: target{id: diff.Object{Kind: kind, Name: name}}}}
	if a != diff.Deleted && a != diff.Kept {
		o.desired = &unstructured.Unstructured{Object: map[string]any{}}
	}
	return step{object: o, change: diff.Change{Object: o.id, Action: a, Reason: "its policy"}, related: related}
}

func TestGroupSteps(t *testing.T) {
	definition, parent := stepOf("CustomResourceDefinition", "gadgets", diff.Created), stepOf("ConfigMap", "fairlead-shop", diff.Created)
	definition.object.origin, parent.object.origin = fromCRDs, fromApplySet
	steps := []step{
		stepOf("ConfigMap", "a", diff.Created), definition, stepOf("ConfigMap", "unnamed", ""), parent,
		stepOf("Service", "b", diff.Unchanged), stepOf("Service", "c", diff.Deleted), stepOf("ConfigMap", "d", diff.Kept),
	}
	want := stepGroups{parent: 3, crds: []int{1}, applied: []int{0, 4}, deleted: []int{5, 6}}
	if got := groupSteps(steps); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := groupSteps(nil); got.parent != -1 {
		t.Errorf("without steps the parent is step %d", got.parent)
	}
}

func TestStagesOfSteps(t *testing.T) {
	steps := []step{
		stepOf("Namespace", "a", diff.Created), stepOf("ConfigMap", "b", diff.Created), stepOf("Secret", "c", diff.Created),
		stepOf("Deployment", "d", diff.Created), stepOf("Gadget", "e", diff.Created),
	}
	r := newRun(&Engine{}, &Plan{work: &work{steps: steps}}, ApplyOptions{}, nil)
	if got, want := fmt.Sprint(r.byStage([]int{0, 1, 2, 3, 4})), "[[0] [1 2] [3] [4]]"; got != want {
		t.Errorf("applied in stages %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(r.byStage([]int{4, 3, 2, 1})), "[[4] [3] [2 1]]"; got != want {
		t.Errorf("deleted in stages %s, want %s", got, want)
	}
}

// Steps that are applied elsewhere, such as those of crds/, are no nodes, and
// nothing waits for them.
func TestNodesOfSteps(t *testing.T) {
	steps := []step{
		stepOf("CustomResourceDefinition", "gadgets", diff.Created), stepOf("ConfigMap", "a", diff.Created),
		stepOf("Deployment", "b", diff.Unchanged), stepOf("Gadget", "c", diff.Updated),
	}
	o := &annotatedOrder{waves: map[int]int{3: 2}, needs: map[int][]int{1: {2, 0}, 3: {1}}}
	got := nodesOf(steps, []int{1, 2, 3}, o)
	want := []graph.Node{
		{Stage: 1, Needs: []int{1}},
		{Stage: 3, Idle: true},
		{Stage: 5, Wave: 2, Needs: []int{0}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := fmt.Sprint(pick([]int{7, 8, 9}, []int{2, 0})); got != "[9 7]" {
		t.Errorf("picked %s", got)
	}
}

func TestSkipReasons(t *testing.T) {
	db := diff.Object{Kind: "StatefulSet", Namespace: "shop", Name: "db"}
	for name, c := range map[string]struct {
		why              graph.Reason
		applied, deleted string
	}{
		"not ready":        {graph.Reason{Obstacle: graph.NodeNotReady}, "it depends on StatefulSet shop/db, which did not become ready", "StatefulSet shop/db, which depends on it, is still there"},
		"failed":           {graph.Reason{Obstacle: graph.NodeFailed}, "it depends on StatefulSet shop/db, which failed", "StatefulSet shop/db, which depends on it, is still there"},
		"skipped":          {graph.Reason{Obstacle: graph.NodeSkipped}, "it depends on StatefulSet shop/db, which was not tried", "StatefulSet shop/db, which depends on it, is still there"},
		"a wave":           {graph.Reason{Obstacle: graph.WaveNotReady, Node: -1, Wave: -1}, "wave -1, which comes before it, did not become ready", "objects of wave -1, which go before it, are still there"},
		"a wave's part":    {graph.Reason{Obstacle: graph.WaveSkipped, Node: -1, Wave: 2}, somethingFailed, "objects of wave 2, which go before it, are still there"},
		"an earlier stage": {graph.Reason{Obstacle: graph.EarlierFailure, Node: -1}, somethingFailed, somethingFailed},
	} {
		if got := whyNotApplied(c.why, db); got != c.applied {
			t.Errorf("%s: not applied because %s", name, got)
		}
		if got := whyNotDeleted(c.why, db); got != c.deleted {
			t.Errorf("%s: not deleted because %s", name, got)
		}
	}
}
