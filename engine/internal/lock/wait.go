package lock

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Longest is the longest duration of a mark that counts: one that was written
// with more is held no longer, since a client that may write revisions could
// otherwise block a release for ever without doing anything.
const Longest = 2 * time.Minute

// HeldError is returned by Wait if another holder does not end in time.
type HeldError struct {
	Holder   string    // as the mark has it, cleaned and shortened
	LastSeen time.Time // when the mark was last seen to change
}

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s works on the release, and renewed its mark %s ago", e.Holder, time.Since(e.LastSeen).Round(time.Second))
}

// Found is a mark as it was read.
type Found struct {
	storage.Mark
	Version string // changes whenever it is written
}

// Waiter says how to wait for another holder.
type Waiter struct {
	// Duration is that of this process's own marks, by which it is decided how
	// often to look.
	Duration time.Duration
	// Timeout is how long to wait. 0: only until the holder was seen to renew its
	// mark, which takes at most the mark's duration.
	Timeout time.Duration
	// Seen makes Wait return at once with a *HeldError if another holder is at work,
	// and remembers what was seen of it for the next try. Nil: Wait waits.
	Seen *Observed
	// Supersede ends the wait for a holder that has marked that it waits.
	Supersede bool
	// OnWaited is called once, if another holder is waited for. Nil: nothing is
	// called.
	OnWaited func(holder string)
}

// Wait waits while another process holds a release: until look finds no holder,
// one that is gone, or one that may be superseded. It returns what was found last,
// whose holder is empty if there is none; a *HeldError, the cause of ctx's end, or
// the error of look. found is what was read before.
func (w Waiter) Wait(ctx context.Context, found Found, look func(context.Context) (Found, error)) (Found, error) {
	seen := w.Seen
	if seen == nil {
		seen = &Observed{}
	}
	begun, pause, reported := time.Now(), 50*time.Millisecond, false
	for {
		seen.see(found)
		if free(found.Mark, *seen, time.Now(), w.Supersede) {
			return found, nil
		}
		if !reported {
			reported = true
			if w.OnWaited != nil {
				w.OnWaited(shown(seen.holder))
			}
		}
		if w.Seen != nil || w.Timeout > 0 && time.Since(begun) >= w.Timeout || w.Timeout <= 0 && seen.alive {
			return found, &HeldError{Holder: shown(seen.holder), LastSeen: seen.at}
		}
		select {
		case <-time.After(pause):
			pause = min(2*pause, max(time.Second, w.Duration/10), w.Duration/3)
		case <-ctx.Done():
			return found, context.Cause(ctx)
		}
		var err error
		if found, err = look(ctx); err != nil {
			return found, err
		}
	}
}

// Observed is what was seen of another holder's mark. Only the local clock
// counts: that of the holder may be wrong. The zero value has seen nothing; it is
// not safe for concurrent use.
type Observed struct {
	holder  string
	version string
	at      time.Time // when it was last seen to change
	alive   bool      // the same holder was seen to renew it
}

func (o *Observed) see(f Found) {
	if o.version == f.Version {
		return
	}
	o.alive = o.version != "" && o.holder == f.Holder
	o.holder, o.version, o.at = f.Holder, f.Version, time.Now()
}

// skew is by how much the holder's clock may be wrong before it matters: a
// mark that has expired by more than that is not observed first. Even then
// only one of two processes could record the next revision.
const skew = 2 * time.Minute

// free reports whether a release may be taken from the holder of a mark.
func free(m storage.Mark, seen Observed, now time.Time, supersede bool) bool {
	return m.Holder == "" || time.Since(seen.at) > max(validity(m), time.Second) ||
		!m.Renewed.IsZero() && now.Sub(m.Renewed) > validity(m)+skew ||
		supersede && m.Waiting
}

// validity is how long a mark counts after it was written.
func validity(m storage.Mark) time.Duration { return min(Longest, m.Duration) }

// Expired reports whether a mark does not count any more, by the clocks of its holder and
// of this process: for what is only tidied up.
func Expired(m storage.Mark) bool { return time.Since(m.Renewed) > max(validity(m), time.Second) }

// shown is the identity of a holder for messages: anyone who may write revisions
// has chosen it.
func shown(holder string) string { return clean.Short(holder, 100) }
