package graph_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/graph"
)

// needing returns nodes by what each one needs.
func needing(needs ...[]int) []graph.Node {
	out := make([]graph.Node, len(needs))
	for i := range needs {
		out[i].Needs = needs[i]
	}
	return out
}

func TestBreakCycles(t *testing.T) {
	for name, c := range map[string]struct {
		needs        [][]int
		cycles, left string
	}{
		"none":                   {[][]int{{1, 2}, {2}, nil}, "[]", "[[1 2] [2] []]"},
		"no nodes":               {nil, "[]", "[]"},
		"itself":                 {[][]int{nil, {1}}, "[[1]]", "[[] []]"},
		"the same twice":         {[][]int{{1, 1}, {0, 0}}, "[[0 1]]", "[[1 1] []]"},
		"entered in its middle":  {[][]int{{2}, {3}, {1}, {2}}, "[[1 3 2]]", "[[2] [3] [1] []]"},
		"two apart":              {[][]int{{3}, {2}, {1}, {0}}, "[[0 3] [1 2]]", "[[3] [2] [] []]"},
		"two that share a node":  {[][]int{{1, 2}, {0}, {0}}, "[[0 1] [0 2]]", "[[1 2] [] []]"},
		"longest comes in order": {[][]int{{4}, {0}, {1}, {2}, {3}}, "[[0 4 3 2 1]]", "[[4] [] [1] [2] [3]]"},
	} {
		nodes := needing(c.needs...)
		kept, cycles := graph.BreakCycles(nodes)
		left := make([][]int, len(kept))
		for i, n := range kept {
			left[i] = n.Needs
		}
		if fmt.Sprint(cycles) != c.cycles || fmt.Sprint(left) != c.left {
			t.Errorf("%s: cycles %v, left %v, want %s and %s", name, cycles, left, c.cycles, c.left)
		}
		if !reflect.DeepEqual(nodes, needing(c.needs...)) {
			t.Errorf("%s: the nodes passed in were changed: %v", name, nodes)
		}
	}
}

// Random graphs: each cycle returned is one, in the stated order, and the nodes
// that are left have none.
func TestBreakCyclesFindsAll(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		n := 1 + rnd.IntN(12)
		needs := make([][]int, n)
		for range rnd.IntN(2 * n) {
			i, j := rnd.IntN(n), rnd.IntN(n)
			if !slices.Contains(needs[i], j) {
				needs[i] = append(needs[i], j)
			}
		}
		kept, cycles := graph.BreakCycles(needing(needs...))
		for _, c := range cycles {
			if c[0] != slices.Min(c) {
				t.Fatalf("seed %d: %v does not begin with its lowest node", seed, c)
			}
			for k, i := range c {
				if !slices.Contains(needs[i], c[(k+1)%len(c)]) {
					t.Fatalf("seed %d: %v is no cycle of %v", seed, c, needs)
				}
			}
		}
		if !slices.IsSortedFunc(cycles, slices.Compare) {
			t.Fatalf("seed %d: %v is not sorted", seed, cycles)
		}
		steps := make([]graph.Step, n)
		removed := false
		for i := range steps {
			steps[i].Needs = kept[i].Needs
			removed = removed || len(kept[i].Needs) < len(needs[i])
		}
		if removed != (len(cycles) > 0) {
			t.Fatalf("seed %d: %d cycles, dependencies removed: %v", seed, len(cycles), removed)
		}
		if err := errors.Join(graph.Run(t.Context(), steps)...); err != nil {
			t.Fatalf("seed %d: %v: %v", seed, needs, err)
		}
	}
}
