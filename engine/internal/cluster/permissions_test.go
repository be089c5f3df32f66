package cluster

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

type status int

func (s status) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: int(s)}, nil
}

// Rules are remembered for a minute, and until anything is forbidden.
func TestRecentRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, rules := newRecentRules(), &Rules{Complete: true}
		r.note("shop", rules, r.forgotten.Load())
		if r.of("shop") != rules || r.of("other") != nil {
			t.Errorf("%v, %v", r.of("shop"), r.of("other"))
		}
		time.Sleep(rulesLast)
		if r.of("shop") != rules {
			t.Error("forgotten too early")
		}
		time.Sleep(time.Millisecond)
		if r.of("shop") != nil {
			t.Error("remembered for too long")
		}
		r.note("shop", rules, r.forgotten.Load())
		for _, s := range []status{http.StatusOK, http.StatusNotFound} {
			if _, err := (forgetsRules{s, r}).RoundTrip(nil); err != nil || r.of("shop") == nil {
				t.Errorf("status %d: %v", s, err)
			}
		}
		if _, err := (forgetsRules{status(http.StatusForbidden), r}).RoundTrip(nil); err != nil || r.of("shop") != nil {
			t.Errorf("forbidden: %v, remembered %v", err, r.of("shop"))
		}
		if r.note("shop", rules, r.forgotten.Load()-1); r.of("shop") != nil {
			t.Error("an answer from before a refusal counts")
		}
	})
}
