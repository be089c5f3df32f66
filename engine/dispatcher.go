package engine

import (
	"sync"
	"time"
)

// dispatcher hands events to the user's function one at a time without
// holding up the work: emit only queues. Its goroutine lives while there is
// something to deliver, so an idle Engine holds none.
type dispatcher struct {
	handler func(Event)

	mu        sync.Mutex
	queue     []Event
	emitted   uint64 // events queued so far
	delivered uint64 // events handed over so far
	running   bool
	progress  *sync.Cond
}

func newDispatcher(handler func(Event)) *dispatcher {
	d := &dispatcher{handler: handler}
	d.progress = sync.NewCond(&d.mu)
	return d
}

func (d *dispatcher) emit(e Event) {
	if d.handler == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = append(d.queue, e)
	d.emitted++
	if !d.running {
		d.running = true
		go d.run()
	}
}

func (d *dispatcher) run() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.queue) > 0 {
		e := d.queue[0]
		d.queue = d.queue[1:]
		d.mu.Unlock()
		d.handler(e)
		d.mu.Lock()
		d.delivered++
		d.progress.Broadcast()
	}
	d.running = false
}

// drain returns when all that was emitted before it has been delivered.
func (d *dispatcher) drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for upTo := d.emitted; d.delivered < upTo; {
		d.progress.Wait()
	}
}

// tell begins a call, and answers the function that ends it with what the call
// returns, when all events are delivered.
func (e *Engine) tell(op Operation, k Key) func(rev **Revision, err *error) {
	begun := time.Now()
	e.events.emit(Started{about(k), op})
	return func(rev **Revision, err *error) {
		end := Ended{of: about(k), Operation: op, Took: time.Since(begun), Err: *err}
		if *rev != nil {
			end.Revision = (*rev).Revision
		}
		e.events.emit(end)
		e.events.drain()
	}
}
