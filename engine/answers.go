package engine

import (
	"container/list"
	"context"
	"crypto/rand"
	"sync"
)

// maxRemembered bounds what the results that an engine remembers take, in bytes as
// estimated.
const maxRemembered = 64 << 20

// question is what a call asks about a release.
type question struct {
	key  Key
	verb string
}

// answers are results of calls with the inputs that they were computed from, the
// newest for each question. It is safe for concurrent use.
type answers struct {
	key []byte // of digests

	mu    sync.Mutex
	by    map[question]*list.Element // of *answer
	order list.List                  // most recently used first
	size  int
}

type answer struct {
	question
	asked  asked
	inputs *inputs
	value  any
	size   int
}

func newAnswers() *answers { return &answers{key: []byte(rand.Text())} }

func (a *answers) get(q question, given asked) *answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	el := a.by[q]
	if el == nil || el.Value.(*answer).asked != given {
		return nil
	}
	a.order.MoveToFront(el)
	return el.Value.(*answer)
}

// put remembers an answer, in place of the one to the same question.
func (a *answers) put(new *answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[question]*list.Element{}
	}
	a.drop(a.by[new.question])
	a.by[new.question] = a.order.PushFront(new)
	a.size += new.size
	for a.size > maxRemembered {
		a.drop(a.order.Back())
	}
}

// drop forgets an answer, if there is one. The caller has locked.
func (a *answers) drop(el *list.Element) {
	if el == nil {
		return
	}
	old := a.order.Remove(el).(*answer)
	delete(a.by, old.question)
	a.size -= old.size
}

// forget drops the answer to a question.
func (a *answers) forget(q question) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(a.by[q])
}

// remembered is a call whose result may be remembered.
type remembered[T any] struct {
	question
	asked
	// keep returns what is remembered of a result, which shares nothing that can be
	// changed with it, and about how many bytes it takes; not ok: nothing.
	keep func(T) (kept T, size int, ok bool)
}

// recall returns the result of a call that was made before, if all that it was
// computed from is still the same; otherwise it makes the call. again reports which.
func recall[T any](ctx context.Context, e *Engine, r remembered[T], call func(context.Context) (T, error)) (out T, again bool, err error) {
	if !e.opts.Cache || len(e.watches.all()) == 0 {
		out, err = call(ctx)
		return out, false, err
	}
	if a := e.answers.get(r.question, r.asked); a != nil && a.inputs.hold(e) {
		out, _, _ = r.keep(a.value.(T))
		return out, true, nil
	}
	ctx, in := e.newInputs(ctx, r.key)
	out, err = call(ctx)
	if err == nil && in.certain(e.opts.Storage) && e.countWrites(r.key) == in.before {
		if kept, size, ok := r.keep(out); ok {
			e.answers.put(&answer{question: r.question, asked: r.asked, inputs: in, value: kept, size: size + in.size()})
			return out, false, nil
		}
	}
	e.answers.forget(r.question)
	return out, false, err
}
