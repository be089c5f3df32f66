package engine

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// Every cause but those that never end a wait has a limit.
func TestFailurePolicyCoversTheCauses(t *testing.T) {
	limits := FailurePolicy{}.limits()
	never := []Cause{CauseEvicted, CausePodFailed, CauseGated, CauseTimeout}
	for name, cause := range stringConstants(t, ".", "Cause") {
		_, limited := limits.Grace[readiness.Cause(cause)]
		if limited == slices.Contains(never, Cause(cause)) {
			t.Errorf("%s: has a limit: %t", name, limited)
		}
	}
	if limits.Grace[readiness.CauseUnready] >= 0 || limits.Grace[readiness.CauseFinal] != 0 || limits.CrashRestarts != 3 || limits.Unknown != 2*time.Second {
		t.Errorf("%+v", limits)
	}
}

// Every field of FailurePolicy has an effect, and negative values are kept.
func TestEveryFieldOfFailurePolicyCounts(t *testing.T) {
	fields := reflect.TypeFor[FailurePolicy]()
	for i := range fields.NumField() {
		for _, value := range []int64{77, -1} {
			p := FailurePolicy{}
			reflect.ValueOf(&p).Elem().Field(i).SetInt(value)
			if fields.Field(i).Name == "Unready" && value < 0 {
				continue // the default
			}
			if reflect.DeepEqual(p.limits(), FailurePolicy{}.limits()) {
				t.Errorf("%s = %d changes nothing", fields.Field(i).Name, value)
			}
		}
	}
}
