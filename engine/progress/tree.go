package progress

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// tree is the running operations. It is independent of terminals.
type tree struct {
	calls  []*call
	stacks []*stackTree
}

// call is one running operation on a release.
type call struct {
	key     engine.Key
	op      engine.Operation
	began   time.Time
	status  string // its current phase, or what blocks it
	changes int    // planned; -1: not planned yet
	changed int    // already written
	kept    int
	failed  int
	skipped int
	readied int
	nodes   []*node // not ready yet, in the order in which they appeared
}

// node is one object that is not ready, or one running hook.
type node struct {
	object   diff.Object
	hook     string // the event of a hook
	began    time.Time
	ready    int
	desired  int
	message  string
	troubles []trouble
}

type trouble struct{ key, pod, text string }

// apply applies one event to the tree, and returns a permanent line, if any.
func (t *tree) apply(e engine.Event) (keep string, good verdict) {
	c := t.call(e.Release())
	if s, ok := e.(engine.Started); ok {
		t.calls = append(t.calls, &call{key: s.Key, op: s.Operation, began: s.At, changes: -1, status: "planning"})
		return "", neutral
	}
	if c == nil { // only a plan
		if _, ok := e.(engine.Planned); ok {
			return "", neutral
		}
		return clean.Line(e.String()), neutral
	}
	switch e := e.(type) {
	case engine.Planned:
		c.changes, c.status = e.Changes, ""
	case engine.LockWaited:
		c.status = clean.Line(e.String())
	case engine.Reverting: // from here on, the counts are those of the revert
		c.changed, c.kept, c.skipped, c.failed, c.readied = 0, 0, 0, 0, 0
		return clean.Line(e.String()), doubtful
	case engine.Recorded:
		c.status = ""
	case engine.Applied:
		if e.Action != diff.Unchanged {
			c.changed++
		}
	case engine.Kept:
		c.kept++
	case engine.Skipped:
		c.skipped++
	case engine.Failed:
		c.failed++
		return clean.Line(e.String()), bad
	case engine.Warning:
		return clean.Line(e.String()), doubtful
	case engine.HookStarted:
		c.nodes = append(c.nodes, &node{object: e.Object, hook: e.Event, began: e.At})
	case engine.HookEnded:
		c.fold(e.Object)
		if e.Err != nil {
			return clean.Line(e.String()), bad
		}
	case engine.Waiting:
		n := c.node(e.Object)
		if n == nil {
			n = &node{object: e.Object, began: e.At}
			c.nodes = append(c.nodes, n)
		}
		n.ready, n.desired, n.message = e.Ready, e.Desired, clean.Line(e.Message)
		// Drop the troubles of pods that have recovered.
		n.troubles = slices.DeleteFunc(n.troubles, func(t trouble) bool { return t.pod != "" && !slices.Contains(e.Troubled, t.pod) })
	case engine.Trouble:
		if n := c.node(e.Object); n != nil {
			n.trouble(e)
		}
	case engine.LogLine:
		return clean.Line(fmt.Sprintf("%s/%s | %s", e.Pod, e.Container, e.Line)), neutral
	case engine.Ready:
		c.fold(e.Object)
		c.readied++
	case engine.Unready:
		c.fold(e.Object)
		return clean.Line(e.String()), bad
	case engine.Ended:
		t.calls = slices.DeleteFunc(t.calls, func(x *call) bool { return x == c })
		return c.outcome(e)
	}
	return "", neutral
}

// call returns the latest one of a release.
func (t *tree) call(k engine.Key) *call {
	for _, c := range slices.Backward(t.calls) {
		if c.key == k {
			return c
		}
	}
	return nil
}

func (c *call) node(o diff.Object) *node {
	for _, n := range c.nodes {
		if n.object == o {
			return n
		}
	}
	return nil
}

func (c *call) fold(o diff.Object) {
	c.nodes = slices.DeleteFunc(c.nodes, func(n *node) bool { return n.object == o })
}

// trouble keeps the latest trouble of each container, the newest first.
func (n *node) trouble(e engine.Trouble) {
	key, pod, where := "", "", ""
	if e.Pod != nil {
		pod = e.Pod.Name
		key, where = e.Pod.Name+"/"+e.Pod.Container, "pod "+e.Pod.Name
		if e.Pod.Container != "" {
			where += ", container " + e.Pod.Container
		}
		where += ": "
	}
	text := where + e.Reason
	if e.Message != "" {
		text += ": " + e.Message
	}
	n.troubles = slices.DeleteFunc(n.troubles, func(t trouble) bool { return t.key == key })
	n.troubles = slices.Insert(n.troubles, 0, trouble{key, pod, clean.Line(text)})
}

// outcome returns the permanent line of an operation that has ended.
func (c *call) outcome(e engine.Ended) (string, verdict) {
	title := fmt.Sprintf("%s %s", c.op, c.key)
	took := e.Took.Round(100 * time.Millisecond)
	if e.Err != nil {
		return clean.Line(fmt.Sprintf("%s failed after %v%s", title, took, c.counts())), bad
	}
	if e.Revision > 0 && c.op != engine.OperationUninstall {
		title += fmt.Sprintf(": revision %d", e.Revision)
	}
	return clean.Line(fmt.Sprintf("%s in %v%s", title, took, c.counts())), well
}

func (c *call) counts() string {
	s := ""
	for _, part := range []struct {
		n    int
		word string
	}{{c.changed, "changed"}, {c.readied, "ready"}, {c.kept, "kept"}, {c.failed, "failed"}, {c.skipped, "skipped"}} {
		if part.n > 0 {
			s += fmt.Sprintf(", %d %s", part.n, part.word)
		}
	}
	return s
}

// state returns the status of an operation for its row.
func (c *call) state() string {
	switch {
	case c.status != "":
		return c.status
	case c.changed < c.changes:
		return fmt.Sprintf("%d of %d written", c.changed, c.changes)
	case len(c.nodes) > 0:
		return fmt.Sprintf("%d changed, %d ready, waiting for %d", c.changed, c.readied, len(c.nodes))
	}
	return fmt.Sprintf("%d changed, %d ready", c.changed, c.readied)
}

// shownNodes returns the nodes, those in trouble first, then the oldest.
func (c *call) shownNodes() []*node {
	out := slices.Clone(c.nodes)
	slices.SortStableFunc(out, func(a, b *node) int {
		return cmp.Compare(min(len(b.troubles), 1), min(len(a.troubles), 1))
	})
	return out
}

// verdict is whether a line is good or bad, for its mark and colour.
type verdict int

const (
	neutral verdict = iota
	well
	doubtful
	bad
)
