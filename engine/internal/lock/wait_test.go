package lock

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

func mark(holder string, seconds int64, renewed time.Time) storage.Mark {
	return storage.Mark{Holder: holder, Duration: time.Duration(seconds) * time.Second, Renewed: renewed}
}

// A release is taken from its holder only if no change of its mark was seen for its
// duration, by the local clock; if its own clock is far behind; or if it waits
// and is superseded.
func TestFree(t *testing.T) {
	now := time.Now()
	waiting := mark("a", 10, now)
	waiting.Waiting = true
	for name, c := range map[string]struct {
		mark      storage.Mark
		seen      Observed
		supersede bool
		want      bool
	}{
		"just seen":                        {mark("a", 10, now), Observed{holder: "a", at: now}, false, false},
		"not renewed for its duration":     {mark("a", 10, now), Observed{holder: "a", at: now.Add(-11 * time.Second)}, false, true},
		"a holder's clock that is ahead":   {mark("a", 10, now.Add(time.Hour)), Observed{holder: "a", at: now.Add(-11 * time.Second)}, false, true},
		"expired, within what clocks may":  {mark("a", 10, now.Add(-time.Minute)), Observed{holder: "a", at: now}, false, false},
		"expired long ago":                 {mark("a", 10, now.Add(-time.Hour)), Observed{holder: "a", at: now}, false, true},
		"without a time, just seen":        {mark("a", 10, time.Time{}), Observed{holder: "a", at: now}, false, false},
		"without a holder":                 {mark("", 10, now), Observed{at: now}, false, true},
		"waiting":                          {waiting, Observed{holder: "a", at: now}, false, false},
		"waiting, and superseded":          {waiting, Observed{holder: "a", at: now}, true, true},
		"superseded, but still writing":    {mark("a", 10, now), Observed{holder: "a", at: now}, true, false},
		"of no duration, for a second":     {mark("a", 0, now), Observed{holder: "a", at: now}, false, false},
		"of no duration, after the second": {mark("a", 0, now), Observed{holder: "a", at: now.Add(-2 * time.Second)}, false, true},
	} {
		if got := free(c.mark, c.seen, now, c.supersede); got != c.want {
			t.Errorf("%s: free is %v", name, got)
		}
	}
}

// A holder is known to be alive once it was seen to renew its mark; another
// holder has to be seen to do so itself.
func TestObserved(t *testing.T) {
	var o Observed
	for i, c := range []struct {
		holder, version string
		alive           bool
	}{
		{"a", "1", false}, {"a", "1", false}, {"a", "2", true}, {"a", "2", true}, {"b", "3", false}, {"b", "4", true},
	} {
		if o.see(Found{mark(c.holder, 10, time.Now()), c.version}); o.alive != c.alive || o.holder != c.holder {
			t.Errorf("%d: %s is alive: %v", i, o.holder, o.alive)
		}
	}
}

// A nil Lock stands for a release that is not locked.
func TestNilLock(t *testing.T) {
	var l *Lock
	l.Waiting(true)
	l.Hold(&storage.Held{}, time.Now())
	l.Lose()
	l.Release()
	if l.Check(t.Context()) != nil || l.Lost() || l.Mark() != nil || l.Held() != nil || l.Holds(storage.Mark{}) || l.Context(t.Context()) != t.Context() {
		t.Error("nil is a lock")
	}
}

func TestHeldError(t *testing.T) {
	err := &HeldError{Holder: "fairlead-x", LastSeen: time.Now().Add(-3 * time.Second)}
	if got := err.Error(); !strings.Contains(got, "fairlead-x") || !strings.Contains(got, "3s") {
		t.Error(got)
	}
}

// What a mark claims that anybody may have written is bounded.
func TestAttackForeignMark(t *testing.T) {
	now := time.Now()
	longest := int64(math.MaxInt64 / time.Second)
	for name, c := range map[string]struct {
		mark storage.Mark
		seen time.Duration // ago, unchanged since
		want bool
	}{
		"huge, just seen":      {mark("x", longest, now), 0, false},
		"huge, seen for long":  {mark("x", longest, now), Longest + time.Second, true},
		"huge, from long ago":  {mark("x", longest, now.Add(-time.Hour)), 0, true},
		"from the future":      {mark("x", longest, now.Add(240*time.Hour)), Longest + time.Second, true},
		"negative":             {mark("x", -5, now), 2 * time.Second, true},
		"smallest":             {mark("x", -longest, now), 2 * time.Second, true},
		"usual, seen renewed":  {mark("x", 15, now), 0, false},
		"usual, seen for long": {mark("x", 15, now), 16 * time.Second, true},
	} {
		seen := Observed{holder: "x", version: "1", at: now.Add(-c.seen)}
		if got := free(c.mark, seen, now, false); got != c.want {
			t.Errorf("%s: free is %v", name, got)
		}
	}
	if text := shown("\x1b]0;owned\x07 ::error::" + strings.Repeat("é", 1000)); strings.ContainsAny(text, "\x1b\x07") || utf8.RuneCountInString(text) > 101 {
		t.Errorf("the holder is shown as %q", text)
	}
}
