package engine

import (
	"sync"

	"github.com/fairlead-dev/fairlead/engine/internal/lock"
)

// rivals are the holders of locks that passes have found, by release: a holder
// that is not seen to renew its lock for its duration is dead, and no pass waits
// to see that by itself. It is safe for concurrent use.
type rivals struct {
	mu   sync.Mutex
	seen map[Key]*rival
}

type rival struct {
	mu sync.Mutex
	lock.Observed
}

// of is what was seen of the holder of a release's lock. The caller has to unlock
// it.
func (r *rivals) of(k Key) *rival {
	r.mu.Lock()
	if r.seen == nil {
		r.seen = map[Key]*rival{}
	}
	out := r.seen[k]
	if out == nil {
		out = &rival{}
		r.seen[k] = out
	}
	r.mu.Unlock()
	out.mu.Lock()
	return out
}

// forget drops what was seen, because the lock has been taken.
func (r *rivals) forget(k Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.seen, k)
}
