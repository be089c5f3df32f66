package engine_test

import (
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

func TestDiagnosisInWords(t *testing.T) {
	d := engine.Diagnosis{
		Object: diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"},
		State:  engine.StateProgressing, Cause: engine.CauseCrashLoop, Message: "0 of 2 pods\nare ready", Desired: 2,
		Pods:   []engine.PodDiagnosis{{Name: "web-a", Container: "web", Reason: "CrashLoopBackOff", Message: "back-off", ExitCode: 1, Restarts: 4, Logs: []string{"panic: \x1b[2Jno database"}}},
		Events: []engine.ClusterEvent{{Object: "Pod web-a", Reason: "BackOff", Message: "restarting", Count: 3}},
		Hint:   "read its log",
	}
	const want = `Deployment shop/web: 0 of 2 ready: a container keeps crashing: 0 of 2 pods are ready
  pod web-a, container web: CrashLoopBackOff: back-off (exit code 1, 4 restarts)
    | panic: \u001b[2Jno database
  event of Pod web-a: BackOff: restarting (3 times)
  try: read its log`
	if got := d.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
