package observe

import (
	"context"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Writes are the writes of revisions that this process does itself. It is safe for
// concurrent use.
type Writes struct {
	mu        sync.Mutex
	observers int
	inFlight  map[name]*flight
	done      map[name]string // by the version that the write resulted in
}

// flight are the writes of one revision that have not ended.
type flight struct {
	n     int
	ended chan struct{}
}

// maxOwn bounds the writes that no watch has shown yet; beyond, they count as
// those of others.
const maxOwn = 10_000

// gone is the version of a revision that was deleted, as storage has it.
const gone = storage.VersionDeleted

// Begin notes that a revision is about to be written; the result is to be called
// with the resourceVersion, "" if it was not written, or with that of gone.
func (w *Writes) Begin(namespace, revision string) func(version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observers == 0 {
		return func(string) {}
	}
	at := name{namespace, revision}
	if w.inFlight == nil {
		w.inFlight, w.done = map[name]*flight{}, map[name]string{}
	}
	f := w.inFlight[at]
	if f == nil {
		f = &flight{ended: make(chan struct{})}
		w.inFlight[at] = f
	}
	f.n++
	return func(version string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if version != "" {
			if len(w.done) >= maxOwn {
				clear(w.done)
			}
			w.done[at] = version
		}
		if f.n--; f.n == 0 {
			delete(w.inFlight, at)
			close(f.ended)
		}
	}
}

// follow counts observers: without one, nothing is noted.
func (w *Writes) follow(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.observers += n; w.observers == 0 {
		w.done = map[name]string{}
	}
}

// own reports whether this process has brought a revision to a version. While it
// is writing the revision that is not known yet, and own waits.
func (w *Writes) own(ctx context.Context, at name, version string) bool {
	for {
		w.mu.Lock()
		f, done := w.inFlight[at], w.done[at]
		w.mu.Unlock()
		if done == version {
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
