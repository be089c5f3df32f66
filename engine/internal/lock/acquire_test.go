package lock

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func lease(holder, version string, seconds int32, renewed time.Time) *coordinationv1.Lease {
	at := metav1.NewMicroTime(renewed)
	return &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: version},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, LeaseDurationSeconds: &seconds, RenewTime: &at},
	}
}

// A Lease is taken from its holder only if no change of it was seen for its
// duration, by the local clock; if its own clock is far behind; or if it waits
// and is superseded.
func TestFree(t *testing.T) {
	now := time.Now()
	waiting := lease("a", "1", 10, now)
	waiting.Annotations = map[string]string{annotationWaiting: "true"}
	for name, c := range map[string]struct {
		lease     *coordinationv1.Lease
		seen      Observed
		supersede bool
		want      bool
	}{
		"just seen":                        {lease("a", "1", 10, now), Observed{holder: "a", at: now}, false, false},
		"not renewed for its duration":     {lease("a", "1", 10, now), Observed{holder: "a", at: now.Add(-11 * time.Second)}, false, true},
		"a holder's clock that is ahead":   {lease("a", "1", 10, now.Add(time.Hour)), Observed{holder: "a", at: now.Add(-11 * time.Second)}, false, true},
		"expired, within what clocks may":  {lease("a", "1", 10, now.Add(-time.Minute)), Observed{holder: "a", at: now}, false, false},
		"expired long ago":                 {lease("a", "1", 10, now.Add(-time.Hour)), Observed{holder: "a", at: now}, false, true},
		"without a holder":                 {lease("", "1", 10, now), Observed{at: now}, false, true},
		"waiting":                          {waiting, Observed{holder: "a", at: now}, false, false},
		"waiting, and superseded":          {waiting, Observed{holder: "a", at: now}, true, true},
		"superseded, but still writing":    {lease("a", "1", 10, now), Observed{holder: "a", at: now}, true, false},
		"of no duration, for a second":     {lease("a", "1", 0, now), Observed{holder: "a", at: now}, false, false},
		"of no duration, after the second": {lease("a", "1", 0, now), Observed{holder: "a", at: now.Add(-2 * time.Second)}, false, true},
	} {
		if got := free(c.lease, c.seen, now, c.supersede); got != c.want {
			t.Errorf("%s: free is %v", name, got)
		}
	}
}

// A holder is known to be alive once it was seen to renew its Lease; another
// holder has to be seen to do so itself.
func TestObserved(t *testing.T) {
	var o Observed
	for i, c := range []struct {
		holder, version string
		alive           bool
	}{
		{"a", "1", false}, {"a", "1", false}, {"a", "2", true}, {"a", "2", true}, {"b", "3", false}, {"b", "4", true},
	} {
		if o.see(lease(c.holder, c.version, 10, time.Now())); o.alive != c.alive || o.holder != c.holder {
			t.Errorf("%d: %s is alive: %v", i, o.holder, o.alive)
		}
	}
}

// A nil Lock stands for a release that is not locked.
func TestNilLock(t *testing.T) {
	var l *Lock
	l.Waiting(true)
	l.Release()
	if l.Check(t.Context()) != nil || l.Lost() || l.Waited() || l.Context(t.Context()) != t.Context() {
		t.Error("nil is a lock")
	}
}

func TestHeldError(t *testing.T) {
	err := &HeldError{Holder: "fairlead-x", LastSeen: time.Now().Add(-3 * time.Second)}
	if got := err.Error(); !strings.Contains(got, "fairlead-x") || !strings.Contains(got, "3s") {
		t.Error(got)
	}
}

// What a Lease claims that anybody may have written is bounded.
func TestAttackForeignLease(t *testing.T) {
	now := time.Now()
	lease := func(seconds int32, renewed time.Time) *coordinationv1.Lease {
		at := metav1.NewMicroTime(renewed)
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: new("x"), LeaseDurationSeconds: &seconds, RenewTime: &at}}
	}
	for name, c := range map[string]struct {
		lease *coordinationv1.Lease
		seen  time.Duration // ago, unchanged since
		want  bool
	}{
		"huge, just seen":      {lease(math.MaxInt32, now), 0, false},
		"huge, seen for long":  {lease(math.MaxInt32, now), Longest + time.Second, true},
		"huge, from long ago":  {lease(math.MaxInt32, now.Add(-time.Hour)), 0, true},
		"from the future":      {lease(math.MaxInt32, now.Add(240*time.Hour)), Longest + time.Second, true},
		"negative":             {lease(-5, now), 2 * time.Second, true},
		"smallest":             {lease(math.MinInt32, now), 2 * time.Second, true},
		"usual, seen renewed":  {lease(15, now), 0, false},
		"usual, seen for long": {lease(15, now), 16 * time.Second, true},
	} {
		seen := Observed{holder: "x", version: "1", at: now.Add(-c.seen)}
		if got := free(c.lease, seen, now, false); got != c.want {
			t.Errorf("%s: free is %v", name, got)
		}
	}
	if text := shown("\x1b]0;owned\x07 ::error::" + strings.Repeat("é", 1000)); strings.ContainsAny(text, "\x1b\x07") || utf8.RuneCountInString(text) > 101 {
		t.Errorf("the holder is shown as %q", text)
	}
}
