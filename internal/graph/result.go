package graph

import "errors"

// Result is the outcome of a [Schedule].
type Result struct {
	s   *Schedule
	out []error // by step
}

// Failures returns the errors of the actions that failed, those of nodes first
// and in their order, then those of waiting. Nodes that were skipped are not
// among them; see [Result.Skipped]. Nodes that the end of the context kept from
// starting are there with its cause, and nodes of a cycle with ErrCycle.
func (r Result) Failures() []error {
	var out []error
	for _, err := range r.out {
		if err != nil && !skipped(err) {
			out = append(out, err)
		}
	}
	return out
}

// Err returns the error of a node's Do, a *SkippedError, the cause of the
// context's end, ErrCycle, or nil if Do succeeded.
func (r Result) Err(node int) error { return r.out[node] }

// Obstacle is what kept a node from starting.
type Obstacle int

const (
	// EarlierFailure: a node of an earlier stage or wave failed, or the end of
	// such a stage did.
	EarlierFailure Obstacle = iota
	// NodeNotReady: a node that it waits for did not become ready, or did not go.
	NodeNotReady
	// NodeFailed: Do failed for a node that it waits for.
	NodeFailed
	// NodeSkipped: a node that it waits for was skipped itself.
	NodeSkipped
	// WaveNotReady: an earlier wave did not become ready, or did not go.
	WaveNotReady
	// WaveSkipped: an earlier wave was not awaited, because a part of it failed.
	WaveSkipped
)

// Reason is why a node was skipped.
type Reason struct {
	Obstacle Obstacle
	Node     int // of NodeNotReady, NodeFailed and NodeSkipped; otherwise -1
	Wave     int // of WaveNotReady and WaveSkipped
}

// Skipped reports whether a node was skipped, and why: because of the first
// node that it waits for and that did not become ready, or else the first such
// wave.
func (r Result) Skipped(node int) (Reason, bool) {
	if !skipped(r.out[node]) {
		return Reason{}, false
	}
	for _, on := range r.waitsFor(node) {
		step, awaited := r.s.await[on]
		if !awaited || r.out[step] == nil {
			continue
		}
		switch {
		case !skipped(r.out[step]):
			return Reason{Obstacle: NodeNotReady, Node: on}, true
		case skipped(r.out[on]):
			return Reason{Obstacle: NodeSkipped, Node: on}, true
		}
		return Reason{Obstacle: NodeFailed, Node: on}, true
	}
	for _, end := range r.s.waves {
		switch {
		case end.wave == r.s.nodes[node].Wave:
			return Reason{Obstacle: EarlierFailure, Node: -1}, true
		case skipped(r.out[end.step]):
			return Reason{Obstacle: WaveSkipped, Node: -1, Wave: end.wave}, true
		case r.out[end.step] != nil:
			return Reason{Obstacle: WaveNotReady, Node: -1, Wave: end.wave}, true
		}
	}
	return Reason{Obstacle: EarlierFailure, Node: -1}, true
}

// waitsFor is what a node waits for by its dependencies, those included that an
// idle node does not wait for: they explain just as well why it was skipped.
func (r Result) waitsFor(node int) []int {
	if r.s.reverse {
		return r.s.waits[node]
	}
	return r.s.nodes[node].Needs
}

func skipped(err error) bool {
	var s *SkippedError
	return errors.As(err, &s)
}
