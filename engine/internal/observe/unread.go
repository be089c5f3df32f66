package observe

import (
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// readAtOnce is how many bodies of revisions are read, and in memory, at once.
	readAtOnce = 4
	// readBatch is how many are read before the kinds in them are followed.
	readBatch = 64
)

// ErrGone is returned for a revision that was deleted.
var ErrGone = errors.New("the revision is gone")

// UnreadableError is why a revision shows no kinds, however often it is read.
type UnreadableError struct{ Err error }

func (e *UnreadableError) Error() string { return e.Err.Error() }
func (e *UnreadableError) Unwrap() error { return e.Err }

// toRead is a revision whose body is to be read.
type toRead struct {
	release  Release
	revision *record
}

// readKinds reads the bodies of revisions that do not note their kinds, such as those
// that Helm has recorded, until the context ends. It does so beside the worker, so that
// releases whose kinds are known do not wait for the others.
func (o *Observer) readKinds() {
	for failures := 0; ; {
		batch := o.takeUnread()
		if len(batch) == 0 {
			select {
			case <-o.ctx.Done():
				return
			case <-o.wakeReader:
			}
			continue
		}
		err := o.readAll(batch)
		wake(o.wakeWorker)
		if err == nil {
			failures = 0
			continue
		}
		if o.ctx.Err() == nil {
			o.logger.Info("Cannot read which kinds a release uses; trying again", "err", err)
		}
		failures = min(failures+1, 8)
		select {
		case <-o.ctx.Done():
			return
		case <-time.After(100 * time.Millisecond << failures):
		}
	}
}

// takeUnread returns some revisions whose bodies are to be read.
func (o *Observer) takeUnread() (batch []toRead) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for r := range o.unread {
		if len(batch) >= readBatch {
			break
		}
		delete(o.unread, r)
		if known := o.releases[r]; known != nil {
			for _, rev := range known.unread() {
				batch = append(batch, toRead{r, rev})
			}
		}
	}
	return batch
}

// readAll reads revisions. One that has to be read again does not keep it from reading
// the others; its error is returned.
func (o *Observer) readAll(batch []toRead) error {
	var failed atomic.Pointer[error]
	var group errgroup.Group
	group.SetLimit(readAtOnce)
	for _, one := range batch {
		group.Go(func() error {
			uses, err := o.opts.Histories.Uses(o.ctx, one.release, one.revision.revision)
			var unreadable *UnreadableError
			o.mu.Lock()
			defer o.mu.Unlock()
			switch {
			case errors.Is(err, ErrGone): // which the history will show
			case errors.As(err, &unreadable):
				o.touch(one.release, Event{Reason: Unwatched, Err: unreadable.Err})
			case err != nil:
				failed.CompareAndSwap(nil, &err)
				o.unread[one.release] = true
				return nil
			}
			if known := o.releases[one.release]; known != nil {
				known.uses[one.revision.revision] = used{one.revision.uid, one.revision.kinds, uses}
			}
			return nil
		})
	}
	_ = group.Wait() // its functions return none
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
