package graph_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-dev/fairlead/internal/graph"
)

// trace is what a schedule did, by second: every action takes one, but for the
// end of a stage, which takes none.
type trace struct {
	mu    sync.Mutex
	start time.Time
	at    map[int][]string
	fail  map[string]bool
}

var errFailed = errors.New("failed")

func (tr *trace) do(name string) error {
	tr.mu.Lock()
	second := int(time.Since(tr.start) / time.Second)
	tr.at[second] = append(tr.at[second], name)
	tr.mu.Unlock()
	if !strings.HasPrefix(name, "stage") {
		time.Sleep(time.Second)
	}
	if tr.fail[name] {
		return errFailed
	}
	return nil
}

func (tr *trace) actions() graph.Actions {
	return graph.Actions{
		Do:    func(_ context.Context, i int) error { return tr.do(fmt.Sprint(i)) },
		Await: func(_ context.Context, i int) error { return tr.do(fmt.Sprint("await ", i)) },
		EndStage: func(_ context.Context, nodes []int) error {
			if name := fmt.Sprint("stage ", nodes); tr.fail[name] {
				return tr.do(name)
			}
			return nil
		},
		EndWave: func(_ context.Context, wave int, nodes []int) error {
			if len(nodes) == 0 {
				return nil
			}
			return tr.do(fmt.Sprint("wave ", wave, " ", nodes))
		},
	}
}

func (tr *trace) String() string {
	var out []string
	for _, second := range slices.Sorted(maps.Keys(tr.at)) {
		slices.Sort(tr.at[second])
		out = append(out, strings.Join(tr.at[second], ", "))
	}
	return strings.Join(out, "; ")
}

func TestScheduleOrder(t *testing.T) {
	const config, workload, ingress = 1, 3, 4
	for name, c := range map[string]struct {
		nodes            []graph.Node
		forward, reverse string
	}{
		"nothing": {},
		"stages": {
			[]graph.Node{{Stage: ingress}, {Stage: config}, {Stage: workload}, {Stage: config}},
			"1, 3; 2; 0", "0; 2; 1, 3",
		},
		"what is needed comes first, against the stages": {
			[]graph.Node{{Stage: config, Needs: []int{1}}, {Stage: workload}, {Stage: config}},
			"2; 1; await 1; 0", "0, 2; await 0; 1",
		},
		"with a dependency an object leaves its stage": {
			[]graph.Node{{Stage: config}, {Stage: workload}, {Stage: workload, Needs: []int{0}}, {Stage: ingress}},
			"0; 1, await 0; 2, 3", "3; 1, 2; await 2; 0",
		},
		"stages hold among those with the same needs": {
			[]graph.Node{{Stage: config}, {Stage: ingress, Needs: []int{0}}, {Stage: workload, Needs: []int{0}}},
			"0; await 0; 2; 1", "1; 2, await 1; await 2; 0",
		},
		"waves": {
			[]graph.Node{{Wave: 1, Stage: config}, {Wave: -1, Stage: ingress}, {Stage: workload}, {Wave: 1, Stage: workload, Needs: []int{0}}},
			"1; wave -1 [1]; 2; wave 0 [2]; 0; await 0; 3",
			"3; await 3; 0; wave 1 [3 0]; 2; wave 0 [2]; 1",
		},
		"idle nodes neither wait nor are waited for": {
			[]graph.Node{{}, {Needs: []int{0}, Idle: true}, {Wave: 1, Idle: true}},
			"0, 1; 2", "2; wave 1 [2]; 1; await 1; 0",
		},
		"idle nodes wait if what needs them does": {
			[]graph.Node{{}, {Needs: []int{0}, Idle: true}, {Needs: []int{1}}},
			"0; await 0; 1; await 1; 2", "2; await 2; 1; await 1; 0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for d, want := range map[graph.Direction]string{graph.Forward: c.forward, graph.Reverse: c.reverse} {
				synctest.Test(t, func(t *testing.T) {
					tr := &trace{start: time.Now(), at: map[int][]string{}}
					result := graph.NewSchedule(c.nodes, d, tr.actions()).Run(t.Context())
					if got := tr.String(); got != want || result.Failures() != nil {
						t.Errorf("direction %d: %s, want %s; failures: %v", d, got, want, result.Failures())
					}
				})
			}
		})
	}
}

func TestScheduleReportsWhyNodesAreSkipped(t *testing.T) {
	chain := []graph.Node{{}, {Needs: []int{0}}, {Needs: []int{1}}, {Stage: 1}, {Wave: 1}}
	none := graph.Reason{Obstacle: graph.EarlierFailure, Node: -1}
	for name, c := range map[string]struct {
		nodes     []graph.Node
		direction graph.Direction
		fail      string
		want      map[int]graph.Reason
	}{
		"a node fails": {chain, graph.Forward, "0", map[int]graph.Reason{
			1: {Obstacle: graph.NodeFailed, Node: 0}, 2: {Obstacle: graph.NodeSkipped, Node: 1}, 3: none,
			4: {Obstacle: graph.WaveSkipped, Node: -1},
		}},
		"a node does not become ready": {chain, graph.Forward, "await 0", map[int]graph.Reason{
			1: {Obstacle: graph.NodeNotReady, Node: 0}, 2: {Obstacle: graph.NodeSkipped, Node: 1},
			4: {Obstacle: graph.WaveSkipped, Node: -1},
		}},
		"the end of a stage fails": {chain, graph.Forward, "stage [0]", map[int]graph.Reason{
			3: none, 4: {Obstacle: graph.WaveSkipped, Node: -1},
		}},
		"a wave does not become ready": {chain, graph.Forward, "wave 0 [0 1 2 3]", map[int]graph.Reason{
			4: {Obstacle: graph.WaveNotReady, Node: -1},
		}},
		"a deletion fails": {chain, graph.Reverse, "2", map[int]graph.Reason{
			1: {Obstacle: graph.NodeFailed, Node: 2}, 0: {Obstacle: graph.NodeSkipped, Node: 1},
		}},
		"a deleted node does not go": {chain, graph.Reverse, "await 1", map[int]graph.Reason{
			0: {Obstacle: graph.NodeNotReady, Node: 1},
		}},
		"a deleted wave does not go": {chain, graph.Reverse, "wave 1 [4]", map[int]graph.Reason{
			0: {Obstacle: graph.NodeSkipped, Node: 1}, 1: {Obstacle: graph.NodeSkipped, Node: 2},
			2: {Obstacle: graph.WaveNotReady, Node: -1, Wave: 1}, 3: {Obstacle: graph.WaveNotReady, Node: -1, Wave: 1},
		}},
		"deleting goes on with the next stage": {chain, graph.Reverse, "3", nil},
		"an idle node is explained by its dependency": {
			[]graph.Node{{Stage: 1}, {Stage: 2, Needs: []int{0}, Idle: true}, {Stage: 2, Needs: []int{0}}}, graph.Forward, "0",
			map[int]graph.Reason{1: {Obstacle: graph.NodeFailed, Node: 0}, 2: {Obstacle: graph.NodeFailed, Node: 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := &trace{start: time.Now(), at: map[int][]string{}, fail: map[string]bool{c.fail: true}}
				result := graph.NewSchedule(c.nodes, c.direction, tr.actions()).Run(t.Context())
				got := map[int]graph.Reason{}
				for i := range c.nodes {
					if reason, ok := result.Skipped(i); ok {
						got[i] = reason
					}
				}
				if !maps.Equal(got, c.want) {
					t.Errorf("skipped %v, want %v", got, c.want)
				}
				if failures := result.Failures(); len(failures) != 1 || failures[0] != errFailed {
					t.Errorf("failures: %v, want one", failures)
				}
			})
		})
	}
}

func TestScheduleReportsCyclesAndAwaitedNodes(t *testing.T) {
	tr := &trace{at: map[int][]string{}, fail: map[string]bool{}}
	synctest.Test(t, func(t *testing.T) {
		s := graph.NewSchedule([]graph.Node{{Needs: []int{1}}, {Needs: []int{0}}, {}}, graph.Forward, tr.actions())
		result := s.Run(t.Context())
		if result.Err(0) != graph.ErrCycle || result.Err(1) != graph.ErrCycle || result.Err(2) != nil {
			t.Errorf("%v", result.Failures())
		}
	})
	s := graph.NewSchedule([]graph.Node{{}, {Needs: []int{0}}, {Wave: 1}}, graph.Reverse, tr.actions())
	if s.Awaited(0) || !s.Awaited(1) || !s.Awaited(2) {
		t.Errorf("awaited: %v %v %v", s.Awaited(0), s.Awaited(1), s.Awaited(2))
	}
}

// Random nodes with waves, dependencies against the stages, and idle nodes: the
// steps have no cycle, and every order that is promised holds both ways.
func TestRandomSchedulesAreInOrder(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		nodes := make([]graph.Node, 1+rnd.IntN(15))
		for i := range nodes {
			nodes[i] = graph.Node{Stage: rnd.IntN(7), Idle: rnd.IntN(4) == 0}
			if rnd.IntN(5) == 0 {
				nodes[i].Wave = rnd.IntN(3)
			}
		}
		for range rnd.IntN(2 * len(nodes)) { // only to nodes before, so that there is no cycle
			a := rnd.IntN(len(nodes))
			if b := rnd.IntN(a + 1); b < a && nodes[a].Wave == nodes[b].Wave && !slices.Contains(nodes[a].Needs, b) {
				nodes[a].Needs = append(nodes[a].Needs, b)
			}
		}
		at := times(t, seed, nodes, graph.Forward)
		for i, n := range nodes {
			for _, on := range n.Needs {
				if !n.Idle && at[on] > at[i] {
					t.Fatalf("seed %d: node %d comes before %d, which it needs", seed, i, on)
				}
			}
			for j, other := range nodes {
				free := len(n.Needs) == 0 && len(other.Needs) == 0
				if n.Wave < other.Wave && at[i] > at[j] || free && n.Wave == other.Wave && n.Stage < other.Stage && at[i] > at[j] {
					t.Fatalf("seed %d: node %d %v comes after %d %v", seed, i, n, j, other)
				}
			}
		}
		at = times(t, seed, nodes, graph.Reverse)
		for i, n := range nodes {
			for j, other := range nodes {
				if slices.Contains(n.Needs, j) && at[i] > at[j] || n.Wave > other.Wave && at[i] > at[j] {
					t.Fatalf("seed %d: node %d %v is deleted after %d %v", seed, i, n, j, other)
				}
			}
		}
	}
}

// times runs a schedule and returns the order in which its nodes came.
func times(t *testing.T, seed uint64, nodes []graph.Node, d graph.Direction) []int {
	t.Helper()
	at := make([]int, len(nodes))
	var mu sync.Mutex
	clock := 0
	nothing := func(context.Context, int) error { return nil }
	result := graph.NewSchedule(nodes, d, graph.Actions{
		Do: func(_ context.Context, i int) error {
			mu.Lock()
			defer mu.Unlock()
			clock++
			at[i] = clock
			return nil
		},
		Await:    nothing,
		EndStage: func(context.Context, []int) error { return nil },
		EndWave:  func(context.Context, int, []int) error { return nil },
	}).Run(t.Context())
	if err := errors.Join(result.Failures()...); err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	for i := range nodes {
		if _, skipped := result.Skipped(i); skipped || at[i] == 0 {
			t.Fatalf("seed %d: node %d was not run", seed, i)
		}
	}
	return at
}
