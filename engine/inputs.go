package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// inputs collects what a call reads, so that its result can be remembered for as
// long as all of that stays the same. What no watch shows, and whatever is read
// without being noted here, makes it uncertain; then nothing is remembered. The
// methods of a nil inputs do nothing. It is safe for concurrent use.
type inputs struct {
	taken    time.Time // when reading began
	requests *cluster.Unaccounted
	before   counts
	epochs   []epoch

	mu        sync.Mutex
	read      observe.Inputs
	namespace bool // the release's own namespace was read
	uncertain bool
}

// counts are how often writes had begun or ended.
type counts struct{ own, other uint64 }

// epoch is that of an observer when reading began.
type epoch struct {
	observer *observe.Observer
	then     observe.Epoch
}

type inputsKey struct{}

// newInputs returns the inputs of a call about a release, and the context to make
// it with.
func (e *Engine) newInputs(ctx context.Context, k Key) (context.Context, *inputs) {
	in := &inputs{
		taken:  time.Now(),
		before: e.countWrites(k),
		read:   observe.Inputs{Release: observe.Release(k), Objects: map[observe.Object]string{}},
	}
	for _, o := range e.watches.all() {
		in.epochs = append(in.epochs, epoch{o, o.Epoch()})
	}
	ctx, in.requests = cluster.WithUnaccounted(ctx)
	return context.WithValue(ctx, inputsKey{}, in), in
}

// inputsOf returns the inputs of the call that a context belongs to; nil: none are
// collected.
func inputsOf(ctx context.Context) *inputs {
	in, _ := ctx.Value(inputsKey{}).(*inputs)
	return in
}

// addObjects notes live objects as they were read.
func (in *inputs) addObjects(objects []*object) {
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, o := range objects {
		if o.live == nil || o.mapping == nil {
			in.uncertain = true // that something does not exist shows in no watch
			continue
		}
		at := observe.Object{Resource: o.mapping.Resource.GroupResource(), Namespace: o.id.Namespace, Name: o.id.Name}
		version := o.live.GetResourceVersion()
		if have, ok := in.read.Objects[at]; ok && have != version {
			in.uncertain = true
		}
		in.read.Objects[at] = version
	}
}

// addHistory notes the stored revisions as they were read. Those of another release
// are not what is watched.
func (in *inputs) addHistory(k Key, inventory storage.Inventory) {
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.uncertain = in.uncertain || Key(in.read.Release) != k
	in.read.Revisions = inventory.Versions
}

// addNamespace notes that the release's own namespace was read. It exists as it is
// for as long as the release's revisions are in it.
func (in *inputs) addNamespace(k Key) {
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.uncertain = in.uncertain || Key(in.read.Release) != k
	in.namespace = true
}

// addServed notes that what the API server serves has been used.
func (in *inputs) addServed() {
	if in == nil {
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.read.Rendered = true
}

// certain reports whether what was noted is all that was read.
func (in *inputs) certain(s Storage) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case in.uncertain, in.requests.Count() > 0, len(in.read.Revisions) == 0, s.elsewhere():
		return false
	case in.namespace:
		k := Key(in.read.Release)
		return s.namespaceOf(k) == k.Namespace
	}
	return true
}

// perInput is about what an object or revision takes, in bytes, without its name.
const perInput = 150

// size is about how many bytes they take.
func (in *inputs) size() int {
	n := perInput * (len(in.read.Objects) + len(in.read.Revisions))
	for at, version := range in.read.Objects {
		n += len(at.Namespace) + len(at.Name) + len(version)
	}
	for name, version := range in.read.Revisions {
		n += len(name) + len(version)
	}
	return n
}

// maxLent is how long a result is confirmed by a watch of another identity: such a
// watch does not show that a permission of this one was taken away.
const maxLent = 5 * time.Minute

// hold reports whether all inputs are as they were read.
func (in *inputs) hold(e *Engine) bool {
	if e.countWrites(Key(in.read.Release)) != in.before {
		return false
	}
	watches := e.watches.all()
	if time.Since(in.taken) > maxLent {
		watches = e.watches.own()
	}
	for _, o := range watches {
		for _, at := range in.epochs {
			if at.observer == o && o.Confirms(&in.read, at.then) {
				return true
			}
		}
	}
	return false
}

// writeCounts counts the writes of releases. It is safe for concurrent use.
type writeCounts struct {
	mu     sync.Mutex
	counts map[Key]*atomic.Uint64
}

func (w *writeCounts) of(k Key) *atomic.Uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.counts == nil {
		w.counts = map[Key]*atomic.Uint64{}
	}
	n := w.counts[k]
	if n == nil {
		n = &atomic.Uint64{}
		w.counts[k] = n
	}
	return n
}

// writing returns a context for a call that may write the release. What is written
// with other contexts counts as a write of all releases.
func (e *Engine) writing(ctx context.Context, k Key) context.Context {
	return cluster.WithWrites(ctx, e.counts.of(k))
}

func (e *Engine) countWrites(k Key) counts {
	return counts{e.counts.of(k).Load(), e.cluster.OtherWrites()}
}
