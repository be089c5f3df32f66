package readiness

import "time"

// Limits bound how long a wait goes on although an object is not ready. With
// the zero value trouble never ends a wait, and objects without a status are
// not waited for.
type Limits struct {
	// Grace is how long trouble of a cause may last before the wait ends with a
	// failure, because the object will not become ready. The time starts again
	// if the trouble goes away in between. A negative value, or none: forever.
	//
	// Trouble with CauseCrashLoop counts from the last progress of any other
	// object in the same wait, since the container may depend on it.
	Grace map[Cause]time.Duration
	// CrashRestarts is the number of restarts of a container before a crash
	// loop ends the wait.
	CrashRestarts int
	// Unknown is how long an object without a status is waited for. Afterwards
	// the wait goes on without it, which is no failure. Negative: forever.
	Unknown time.Duration
}

// grace returns how long trouble of this cause may last; negative: forever.
func (l Limits) grace(c Cause) time.Duration {
	if d, limited := l.Grace[c]; limited {
		return d
	}
	return -1
}
