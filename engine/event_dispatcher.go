package engine

import (
	"crypto/rand"
	"reflect"
	"sync"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
)

// maxDrain bounds how long a call waits at its end for a slow OnEvent.
const maxDrain = 5 * time.Second

// dispatcher passes events to Options.OnEvent one at a time without blocking
// the call: emit only queues. The queue is bounded by the size of the
// plans: a Waiting takes the place of the one before it, if that is still
// queued and nothing else of the object came in between. Its goroutine runs
// only while the queue is not empty, so an idle Engine has none.
type dispatcher struct {
	handler func(Event)

	mu        sync.Mutex
	queue     []Event
	first     uint64                // number of queue[0], counted from the first ever emitted
	waiting   map[waitingFor]uint64 // numbers of the queued Waiting that may be replaced
	running   bool
	drainings []draining
}

type waitingFor struct {
	release Key
	object  diff.Object
}

// draining is a call that waits until all events before upTo are delivered.
type draining struct {
	upTo uint64
	done chan struct{}
}

func newDispatcher(handler func(Event)) *dispatcher {
	return &dispatcher{handler: handler, waiting: map[waitingFor]uint64{}}
}

func (d *dispatcher) emit(e Event) {
	if d.handler == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	next := d.first + uint64(len(d.queue))
	if w, ok := e.(Waiting); ok {
		k := waitingFor{w.Key, w.Object}
		if older, queued := d.waiting[k]; queued {
			d.queue[older-d.first] = e
			return
		}
		d.waiting[k] = next
	} else if o := waitedFor(e); o != (diff.Object{}) {
		delete(d.waiting, waitingFor{e.Release(), o})
	}
	d.queue = append(d.queue, e)
	if !d.running {
		d.running = true
		go d.run()
	}
}

// waitedFor is the object of an event that comes during or after a wait for
// it, other than Waiting; zero for other events.
func waitedFor(e Event) diff.Object {
	switch e := e.(type) {
	case Trouble:
		return e.Object
	case LogLine:
		return e.Object
	case Ready:
		return e.Object
	case Unready:
		return e.Object
	case HookEnded:
		return e.Object
	}
	return diff.Object{}
}

func (d *dispatcher) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 {
		e := d.queue[0]
		d.queue[0] = nil
		d.queue = d.queue[1:]
		if w, ok := e.(Waiting); ok && d.waiting[waitingFor{w.Key, w.Object}] == d.first {
			delete(d.waiting, waitingFor{w.Key, w.Object})
		}
		d.first++
		d.mu.Unlock()
		d.handler(e)
		d.mu.Lock()
		d.drainings = dropDone(d.drainings, d.first)
	}
	d.running = false
}

func dropDone(waiting []draining, delivered uint64) []draining {
	kept := waiting[:0]
	for _, w := range waiting {
		if w.upTo <= delivered {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	return kept
}

// drain returns when all events emitted before it are delivered, or after
// maxDrain. What is left is delivered later.
func (d *dispatcher) drain() { d.drainWithin(maxDrain) }

func (d *dispatcher) drainWithin(limit time.Duration) {
	d.mu.Lock()
	if !d.running {
		d.mu.Unlock()
		return
	}
	w := draining{d.first + uint64(len(d.queue)), make(chan struct{})}
	d.drainings = append(d.drainings, w)
	d.mu.Unlock()
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case <-w.done:
	case <-t.C:
	}
}

// emitter emits the events of one call.
type emitter struct {
	*dispatcher
	call string
}

// emit emits an event, with the id of the call.
func (m emitter) emit(e Event) {
	if m.handler == nil {
		return
	}
	marked := reflect.New(reflect.TypeOf(e)).Elem()
	marked.Set(reflect.ValueOf(e))
	if meta, ok := marked.FieldByName("EventMeta").Addr().Interface().(*EventMeta); ok {
		meta.Call = m.call
	}
	m.dispatcher.emit(marked.Interface().(Event))
}

// newCallID returns an id that no other call has.
func newCallID() string { return rand.Text() }

// reportCall emits Started, and returns the function that emits Ended with
// what the call returns and waits until all events are delivered.
func (e *Engine) reportCall(op Operation, k Key) func(rev **Revision, err *error) {
	begun := time.Now()
	e.events.emit(Started{about(k), op})
	return func(rev **Revision, err *error) {
		end := Ended{EventMeta: about(k), Operation: op, Took: time.Since(begun), Err: *err}
		if *rev != nil {
			end.Revision = (*rev).Revision
		}
		e.events.emit(end)
		e.events.drain()
	}
}
