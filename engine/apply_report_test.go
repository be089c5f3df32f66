package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// What a wait observes is reported when it changes, an object that was ready at
// once not at all, and of many pods with the same trouble only a few.
func TestWaitReporter(t *testing.T) {
	var lines []string
	w := &waitReporter{
		emit: func(e Event) { lines = append(lines, e.String()) }, redactor: redactorOf(),
		last: map[diff.Object]string{}, reported: map[string]bool{}, pods: map[string]int{},
	}
	on := func(name string) readiness.Target {
		return readiness.Target{GVR: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, Kind: "Deployment", Name: name}
	}
	ready := readiness.Status{State: readiness.Ready, Ready: 3, Desired: 3}
	waiting := readiness.Status{State: readiness.Progressing, Ready: 1, Desired: 3, Message: "rolling out"}
	w.update(readiness.Update{Target: on("done"), Status: ready})
	w.update(readiness.Update{Target: on("web"), Status: readiness.Status{Reason: readiness.ReasonNotSeen}})
	w.update(readiness.Update{Target: on("web"), Status: waiting})
	w.update(readiness.Update{Target: on("web"), Status: waiting})
	var troubles []readiness.Trouble
	for i := range 5 {
		troubles = append(troubles, readiness.Trouble{Cause: readiness.CauseCrashLoop, Reason: "CrashLoopBackOff", Pod: &readiness.PodDiagnosis{Name: fmt.Sprint("web-", i), Container: "c", Logs: []string{"boom"}}})
	}
	w.update(readiness.Update{Target: on("web"), Status: waiting, Troubles: troubles})
	w.update(readiness.Update{Target: on("web"), Status: waiting, Troubles: troubles})
	w.update(readiness.Update{Target: on("web"), Status: ready})
	w.end(readiness.Result{Objects: []readiness.Outcome{{Target: on("web"), Status: ready}, {Target: on("done"), Status: ready}}}, nil)

	var kinds []string
	for _, l := range lines {
		kinds = append(kinds, strings.SplitN(l, " ", 2)[0])
	}
	want := []string{"Waiting", "Waiting", "Trouble", "Log", "Trouble", "Log", "Trouble", "Log", "Log", "Log", "Ready"}
	if !slices.Equal(kinds, want) {
		t.Errorf("reported\n%s", strings.Join(lines, "\n"))
	}
}
