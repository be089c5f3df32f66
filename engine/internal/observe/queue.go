package observe

// MaxEvents bounds what is kept of one release until it is handed out.
const MaxEvents = 16

// queue holds the releases that were touched, each once, in the order in which
// they were touched first. Its user locks it.
type queue struct {
	order   []Release
	pending map[Release]*pending
	wake    chan struct{} // receives when there is something
}

type pending struct {
	events []Event
	more   int
}

func newQueue() queue {
	return queue{pending: map[Release]*pending{}, wake: make(chan struct{}, 1)}
}

// add notes an event. An equal one is there once; of more than MaxEvents the later
// ones are counted only.
func (q *queue) add(r Release, e Event) {
	p := q.pending[r]
	if p == nil {
		p = &pending{}
		q.pending[r] = p
		q.order = append(q.order, r)
	}
	switch {
	case p.has(e):
	case len(p.events) == MaxEvents:
		p.more++
	default:
		p.events = append(p.events, e)
	}
	q.signal()
}

func (p *pending) has(e Event) bool {
	for _, have := range p.events {
		if have.Reason == e.Reason && have.Object == e.Object && have.Manager == e.Manager && have.Own == e.Own {
			return true
		}
	}
	return false
}

// take removes the first release. ok is false if there is none.
func (q *queue) take() (r Release, events []Event, more int, ok bool) {
	if len(q.order) == 0 {
		return Release{}, nil, 0, false
	}
	r = q.order[0]
	q.order[0] = Release{}
	if q.order = q.order[1:]; len(q.order) == 0 {
		q.order = nil
	}
	p := q.pending[r]
	delete(q.pending, r)
	return r, p.events, p.more, true
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
