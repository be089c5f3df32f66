package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Node is what a [Schedule] puts in order.
type Node struct {
	// Wave: every node of a lower wave is ready before a higher wave begins.
	Wave int
	// Stage: within a wave, nodes without Needs go stage by stage, the lowest
	// first. A node with Needs starts after the stages below its own, and no
	// other stage waits for it but those of nodes with the same Needs.
	Stage int
	// Needs are the nodes of the same wave that must be ready before this one.
	Needs []int
	// Idle nodes have nothing to do. They wait for their Needs only if a node
	// that is not idle depends on them, and a wave is not awaited if only idle
	// nodes come after it.
	Idle bool
}

// Direction is the order in which a [Schedule] goes through the nodes.
type Direction int

const (
	// Forward is the order of applying: what a node needs comes first. A
	// failure skips everything that comes after it in its group of nodes, what
	// depends on that, and later waves.
	Forward Direction = iota
	// Reverse is the order of deleting: what depends on a node comes first, as
	// do the highest wave and the highest stage. A failure skips what it depends
	// on and the waves that would follow, but not the stages that would.
	Reverse
)

// Actions are what a [Schedule] calls, concurrently for independent nodes. All
// must be set.
type Actions struct {
	// Do applies or deletes a node.
	Do func(ctx context.Context, node int) error
	// Await waits until a node is ready, or gone, before those that wait for
	// it. It is called once, and only for nodes that others wait for.
	Await func(ctx context.Context, node int) error
	// EndStage is called after the nodes of one stage that share their Needs.
	EndStage func(ctx context.Context, nodes []int) error
	// EndWave waits until the nodes of a wave are ready, or gone. There are
	// none to wait for if no later wave has anything to do.
	EndWave func(ctx context.Context, wave int, nodes []int) error
}

// Schedule is the steps by which nodes are applied or deleted in order. Step i
// is that of node i; the steps that wait follow.
type Schedule struct {
	nodes   []Node
	waits   [][]int // what each node waits for, in the direction of the schedule
	reverse bool
	actions Actions
	steps   []Step
	await   map[int]int // the step that waits for a node
	waves   []waveEnd   // in the order in which they run
}

type waveEnd struct{ wave, step int }

// NewSchedule lays out the steps for nodes without cycles. Nodes of a cycle end
// with ErrCycle; see [BreakCycles].
func NewSchedule(nodes []Node, d Direction, a Actions) *Schedule {
	s := &Schedule{
		nodes: nodes, reverse: d == Reverse, actions: a,
		steps: make([]Step, len(nodes)), await: map[int]int{},
	}
	s.waits = s.dependencies()
	waves := s.byWave()
	var begin []int // the end of the wave before
	for n, wave := range waves {
		ends := s.addWave(wave, begin)
		awaited := slices.ContainsFunc(slices.Concat(waves[n+1:]...), func(i int) bool { return !nodes[i].Idle })
		number, members := nodes[wave[0]].Wave, wave
		if !awaited {
			members = nil
		}
		end := s.add(Step{
			Needs: slices.Concat(begin, ends, wave),
			Do:    func(ctx context.Context) error { return a.EndWave(ctx, number, members) },
		})
		s.waves = append(s.waves, waveEnd{number, end})
		begin = []int{end}
	}
	return s
}

// dependencies returns what each node waits for: its Needs or, in reverse, the
// nodes that need it.
func (s *Schedule) dependencies() [][]int {
	out := make([][]int, len(s.nodes))
	wanted := make([]bool, len(s.nodes))
	var want func(int)
	want = func(i int) {
		if wanted[i] {
			return
		}
		wanted[i] = true
		for _, on := range s.nodes[i].Needs {
			want(on)
		}
	}
	for i, n := range s.nodes {
		if !n.Idle {
			want(i)
		}
	}
	for i, n := range s.nodes {
		switch {
		case s.reverse:
			for _, on := range n.Needs {
				out[on] = append(out[on], i)
			}
		case wanted[i]:
			out[i] = n.Needs
		}
	}
	return out
}

// byWave returns the nodes of each wave, in the direction of the schedule, and
// sorted by stage.
func (s *Schedule) byWave() [][]int {
	of := map[int][]int{}
	for i, n := range s.nodes {
		of[n.Wave] = append(of[n.Wave], i)
	}
	var out [][]int
	for _, wave := range slices.Sorted(maps.Keys(of)) {
		slices.SortStableFunc(of[wave], func(i, j int) int { return s.rank(i) - s.rank(j) })
		out = append(out, of[wave])
	}
	if s.reverse {
		slices.Reverse(out)
	}
	return out
}

// rank is a node's stage, in the direction of the schedule.
func (s *Schedule) rank(i int) int {
	if s.reverse {
		return -s.nodes[i].Stage
	}
	return s.nodes[i].Stage
}

// groups puts nodes together that wait for the same, those that wait for
// nothing first. Groups never wait for each other in a cycle, because then some
// of their nodes would.
func (s *Schedule) groups(nodes []int) [][]int {
	out := make([][]int, 1)
	index := map[string]int{"[]": 0}
	for _, i := range nodes {
		key := fmt.Sprint(slices.Sorted(slices.Values(s.waits[i])))
		if _, ok := index[key]; !ok {
			index[key] = len(out)
			out = append(out, nil)
		}
		out[index[key]] = append(out[index[key]], i)
	}
	return out
}

// byStage cuts nodes that are sorted by stage where the stage changes.
func (s *Schedule) byStage(nodes []int) [][]int {
	var out [][]int
	for k, i := range nodes {
		if k == 0 || s.nodes[i].Stage != s.nodes[nodes[k-1]].Stage {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], i)
	}
	return out
}

// addWave adds the steps of a wave that starts after begin, and returns the
// steps whose success ends it, besides those of the nodes.
func (s *Schedule) addWave(wave, begin []int) (ends []int) {
	type stageEnd struct{ rank, step int }
	var free []stageEnd // the stages of nodes that wait for nothing
	for g, group := range s.groups(wave) {
		var last []int
		for _, stage := range s.byStage(group) {
			rank := s.rank(stage[0])
			before := slices.Clone(last)
			for _, e := range slices.Backward(free) {
				if g > 0 && e.rank < rank {
					before = append(before, e.step)
					break
				}
			}
			needs := slices.Clone(begin)
			for _, on := range s.waits[stage[0]] { // and of all in the group
				needs = append(needs, s.awaitStep(on))
			}
			for _, i := range stage {
				s.steps[i] = s.following(needs, before, func(ctx context.Context) error { return s.actions.Do(ctx, i) })
			}
			end := s.add(s.following(nil, slices.Concat(last, stage), func(ctx context.Context) error { return s.actions.EndStage(ctx, stage) }))
			if last = []int{end}; g == 0 {
				free = append(free, stageEnd{rank, end})
			}
		}
		if !s.reverse {
			ends = append(ends, last...)
		}
	}
	return ends
}

// following is a step that comes after the stages before it: forward they must
// have succeeded, in reverse they need only have ended.
func (s *Schedule) following(needs, before []int, do func(context.Context) error) Step {
	if s.reverse {
		return Step{Needs: needs, After: before, Do: do}
	}
	return Step{Needs: slices.Concat(needs, before), Do: do}
}

func (s *Schedule) add(step Step) int {
	s.steps = append(s.steps, step)
	return len(s.steps) - 1
}

func (s *Schedule) awaitStep(node int) int {
	if _, ok := s.await[node]; !ok {
		s.await[node] = s.add(Step{Needs: []int{node}, Do: func(ctx context.Context) error { return s.actions.Await(ctx, node) }})
	}
	return s.await[node]
}

// Awaited reports whether the schedule waits for a node before it goes on, on
// its own or as part of its wave.
func (s *Schedule) Awaited(node int) bool {
	if _, ok := s.await[node]; ok {
		return true
	}
	return slices.ContainsFunc(s.waves[:max(0, len(s.waves)-1)], func(e waveEnd) bool { return e.wave == s.nodes[node].Wave })
}

// Run runs the schedule, once, and returns when the last step has ended.
func (s *Schedule) Run(ctx context.Context) Result {
	return Result{s, Run(ctx, s.steps)}
}
