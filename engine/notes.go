package engine

import (
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// errInTransition is why a pass ends where it would have to wait: what it has
// written is not ready, or gone, yet.
var errInTransition = errors.New("in transition")

// notes is how far the work on a revision has got, beside what the live objects
// say. The revision keeps it, so that another process can go on from there. It is
// safe for concurrent use.
type notes struct {
	mu sync.Mutex
	noted
}

// noted is the content of notes, as the revision has it.
type noted struct {
	// Kind of the plan that recorded the revision.
	Kind PlanKind `json:"kind,omitempty"`
	// RenderedAt and Upgrade are what its templates were rendered with; zero for
	// plans that render none.
	RenderedAt time.Time `json:"renderedAt,omitzero"`
	Upgrade    bool      `json:"upgrade,omitempty"`
	// Resumable: the operation on the revision has left it with all of these
	// notes, or writes each before it does what it stands for.
	Resumable bool `json:"resumable,omitempty"`
	// Hooks are the runs of hooks, by event and number: "pre-install/0".
	Hooks map[string]hookNote `json:"hooks,omitempty"`
	// Waits are those that have begun, by what is waited for.
	Waits map[string]readiness.Memory `json:"waits,omitempty"`
	// Wrote: an object was written or deleted.
	Wrote bool `json:"wrote,omitempty"`
	// Reverts is the revision that failed, if this one goes back from it.
	Reverts int `json:"reverts,omitempty"`
	// Target is the revision that a rollback goes back to.
	Target int `json:"target,omitempty"`
	// Why describes what an uninstall has overwritten in the revision.
	Why string `json:"why,omitempty"`
	// Failed is when the revision failed.
	Failed time.Time `json:"failed,omitzero"`
}

// hookNote is a run of a hook.
type hookNote struct {
	// Name and UID are those of its object, once it was seen.
	Name string    `json:"name,omitempty"`
	UID  types.UID `json:"uid,omitempty"`
	storage.HookRun
}

// maxNotes bounds what is read back: any client with permission to write Secrets
// can have written anything.
const maxNotes = 64 << 10

// readNotes are those of a revision; empty for one without, or with others than
// the engine writes.
func readNotes(r *storage.Record) noted {
	var out noted
	if r == nil || len(r.Progress) > maxNotes {
		return noted{}
	}
	if err := json.Unmarshal([]byte(r.Progress), &out); err != nil {
		return noted{}
	}
	return out
}

// text is what the revision keeps.
func (n *notes) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, err := json.Marshal(n.noted)
	if err != nil || len(text) > maxNotes {
		return ""
	}
	return string(text)
}

// hook is the run of a hook that was noted; zero: none.
func (n *notes) hook(id string) hookNote {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Hooks[id]
}

func (n *notes) setHook(id string, h hookNote) {
	n.mu.Lock()
	defer n.mu.Unlock()
	h.StartedAt, h.CompletedAt = h.StartedAt.UTC().Truncate(time.Millisecond), h.CompletedAt.UTC().Truncate(time.Millisecond)
	n.Hooks = maps.Clone(n.Hooks)
	if n.Hooks == nil {
		n.Hooks = map[string]hookNote{}
	}
	n.Hooks[id] = h
}

// hooksTook is how long the hooks have taken that have ended.
func (n *notes) hooksTook() time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	var took time.Duration
	for _, h := range n.Hooks {
		if !h.CompletedAt.IsZero() {
			took += h.CompletedAt.Sub(h.StartedAt)
		}
	}
	return took
}

// wait is what was observed of a wait.
func (n *notes) wait(name string) readiness.Memory {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Waits[name]
}

// setWait notes what was observed of a wait, or with nil that it is over.
func (n *notes) setWait(name string, m *readiness.Memory) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Waits = maps.Clone(n.Waits)
	if m == nil {
		delete(n.Waits, name)
		return
	}
	if n.Waits == nil {
		n.Waits = map[string]readiness.Memory{}
	}
	n.Waits[name] = *m
}

// began is when the earliest wait that is not over began; zero: there is none.
func (n *notes) began() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	var first time.Time
	for _, w := range n.Waits {
		if first.IsZero() || w.Since.Before(first) {
			first = w.Since
		}
	}
	return first
}

// resumable notes that these are all notes of the work so far.
func (n *notes) resumable() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Resumable = true
}

// ended drops what only matters until the outcome is known.
func (n *notes) ended(failed bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.Resumable, n.Wrote, n.Hooks, n.Waits = false, false, nil, nil
	if failed {
		n.Failed = time.Now().UTC().Truncate(time.Millisecond)
	}
}
