package engine

import (
	"container/list"
	"context"
	"crypto/rand"
	"sync"
)

// maxCached bounds what the results that an engine remembers take, in bytes as
// estimated.
const maxCached = 64 << 20

// slot is the place of a result in the cache: there is one for each release and verb.
type slot struct {
	key  Key
	verb string
}

// resultCache has results of calls with the inputs that they were computed from, the
// newest for each slot. It is safe for concurrent use.
type resultCache struct {
	key []byte // of digests

	mu    sync.Mutex
	by    map[slot]*list.Element // of *cachedResult
	order list.List              // most recently used first
	size  int
}

type cachedResult struct {
	slot
	given  arguments
	inputs *inputs
	value  any
	size   int
}

func newResultCache() *resultCache { return &resultCache{key: []byte(rand.Text())} }

// get returns the result of a slot; nil if there is none that was computed with the
// same arguments.
func (c *resultCache) get(at slot, given arguments) *cachedResult {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.by[at]
	if el == nil || el.Value.(*cachedResult).given != given {
		return nil
	}
	c.order.MoveToFront(el)
	return el.Value.(*cachedResult)
}

// put keeps a result, in place of the one in its slot.
func (c *resultCache) put(new *cachedResult) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[slot]*list.Element{}
	}
	c.drop(c.by[new.slot])
	c.by[new.slot] = c.order.PushFront(new)
	c.size += new.size
	for c.size > maxCached {
		c.drop(c.order.Back())
	}
}

// drop removes a result, if there is one. The caller has locked.
func (c *resultCache) drop(el *list.Element) {
	if el == nil {
		return
	}
	old := c.order.Remove(el).(*cachedResult)
	delete(c.by, old.slot)
	c.size -= old.size
}

// forget drops the result of a slot.
func (c *resultCache) forget(at slot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.by[at])
}

// cacheable is a call whose result may be remembered.
type cacheable[T any] struct {
	slot
	given arguments
	// keep returns what is remembered of a result, which shares nothing that can be
	// changed with it, and about how many bytes it takes; not ok: nothing.
	keep func(T) (kept T, size int, ok bool)
}

// recall returns the result of a call that was made before, if all that it was
// computed from is still the same; otherwise it makes the call. again reports which.
func recall[T any](ctx context.Context, e *Engine, r cacheable[T], call func(context.Context) (T, error)) (out T, again bool, err error) {
	if !e.opts.Cache || len(e.watches.all()) == 0 {
		out, err = call(ctx)
		return out, false, err
	}
	if cached := e.cache.get(r.slot, r.given); cached != nil && cached.inputs.hold(e) {
		out, _, _ = r.keep(cached.value.(T))
		return out, true, nil
	}
	ctx, in := e.newInputs(ctx, r.key)
	out, err = call(ctx)
	if err == nil && in.certain(e.opts.Storage) && e.countWrites(r.key) == in.before {
		if kept, size, ok := r.keep(out); ok {
			e.cache.put(&cachedResult{slot: r.slot, given: r.given, inputs: in, value: kept, size: size + in.size()})
			return out, false, nil
		}
	}
	e.cache.forget(r.slot)
	return out, false, err
}
