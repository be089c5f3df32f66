package observe

import (
	"context"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Writes are the writes of revisions and objects that this process does itself. It
// is safe for concurrent use.
type Writes struct {
	mu        sync.Mutex
	observers int
	inFlight  map[Object]*flight
	// done are those that have ended, the latest ones, and older what came before.
	done, older map[result]struct{}
}

// result is what a write resulted in.
type result struct {
	object  Object
	version string
}

// flight are the writes of one object that have not ended.
type flight struct {
	n     int
	ended chan struct{}
}

// maxOwn is how many of the latest writes are known at least; those before count as
// done by another process.
const maxOwn = 10_000

// gone is the version of a revision that was deleted, as storage has it.
const gone = storage.VersionDeleted

// Begin notes that an object or a revision is about to be written; the result is to
// be called with the resourceVersion, "" if it was not written, or with that of gone.
func (w *Writes) Begin(object Object) func(version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observers == 0 {
		return func(string) {}
	}
	if w.inFlight == nil {
		w.inFlight = map[Object]*flight{}
	}
	f := w.inFlight[object]
	if f == nil {
		f = &flight{ended: make(chan struct{})}
		w.inFlight[object] = f
	}
	f.n++
	return func(version string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if version != "" {
			w.keep(result{object, version})
		}
		if f.n--; f.n == 0 {
			delete(w.inFlight, object)
			close(f.ended)
		}
	}
}

// keep keeps a write that has ended. The caller has locked.
func (w *Writes) keep(is result) {
	if w.done == nil || len(w.done) >= maxOwn {
		w.done, w.older = map[result]struct{}{}, w.done
	}
	w.done[is] = struct{}{}
	if is.version != gone { // another deletion is another client's until it is noted
		delete(w.done, result{is.object, gone})
		delete(w.older, result{is.object, gone})
	}
}

// follow counts observers: without one, nothing is noted.
func (w *Writes) follow(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observers += n; w.observers == 0 {
		w.done, w.older = nil, nil
	}
}

// own reports whether this process has brought an object or a revision to a version.
// While it is writing it that is not known yet, and own waits.
func (w *Writes) own(ctx context.Context, object Object, version string) bool {
	is := result{object, version}
	for {
		w.mu.Lock()
		f := w.inFlight[object]
		_, done := w.done[is]
		_, before := w.older[is]
		w.mu.Unlock()
		if done || before {
			return true
		}
		if f == nil {
			return false
		}
		select {
		case <-f.ended:
		case <-ctx.Done():
			return false
		}
	}
}
