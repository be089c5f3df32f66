package readiness

import (
	"slices"
	"sync"
)

// mailbox delivers updates to a callback in a goroutine of its own, so that a
// slow one does not block the watch. An update that was not delivered yet is
// replaced in its place by the next one of the same target.
type mailbox struct {
	mu      sync.Mutex
	waiting []Update
	closed  bool
	wake    chan struct{}
	done    chan struct{}
}

func newMailbox(receive func(Update)) *mailbox {
	m := &mailbox{wake: make(chan struct{}, 1), done: make(chan struct{})}
	if receive == nil {
		close(m.done)
		m.closed = true
		return m
	}
	go m.run(receive)
	return m
}

func (m *mailbox) run(receive func(Update)) {
	defer close(m.done)
	for {
		m.mu.Lock()
		if len(m.waiting) == 0 {
			closed := m.closed
			m.mu.Unlock()
			if closed {
				return
			}
			<-m.wake
			continue
		}
		u := m.waiting[0]
		m.waiting = m.waiting[1:]
		m.mu.Unlock()
		receive(u)
	}
}

func (m *mailbox) put(u Update) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	if i := slices.IndexFunc(m.waiting, func(w Update) bool { return w.Target == u.Target }); i >= 0 {
		m.waiting[i] = u
	} else {
		m.waiting = append(m.waiting, u)
	}
	m.nudge()
}

// close returns when everything was delivered.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.nudge()
	m.mu.Unlock()
	<-m.done
}

func (m *mailbox) nudge() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}
