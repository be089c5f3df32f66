package engine

import (
	"testing"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

func TestHealthyBefore(t *testing.T) {
	const (
		deployed    = storage.StatusDeployed
		superseded  = storage.StatusSuperseded
		failed      = storage.StatusFailed
		uninstalled = storage.StatusUninstalled
	)
	// Revisions 1, 2, …; of the last one, which failed, is asked.
	healthy := func(notWaitedFor int, statuses ...storage.Status) int {
		var revisions []storage.Meta
		for i, s := range statuses {
			revisions = append(revisions, storage.Meta{Revision: i + 1, Status: s, Unproven: i+1 >= notWaitedFor && notWaitedFor > 0})
		}
		return healthyBefore(revisions, len(statuses))
	}
	for name, c := range map[string]struct{ got, want int }{
		"none":                                 {healthy(0, failed), 0},
		"the deployed one":                     {healthy(0, superseded, deployed, failed), 2},
		"past failed ones":                     {healthy(0, superseded, failed, storage.StatusPendingUpgrade, failed), 1},
		"not before an uninstall":              {healthy(0, superseded, uninstalled, failed), 0},
		"waited for rather than not":           {healthy(2, superseded, superseded, deployed, failed), 1},
		"not waited for if there is no other":  {healthy(1, superseded, deployed, failed), 2},
		"not waited for, before an uninstall":  {healthy(2, uninstalled, superseded, deployed, failed), 3},
		"nothing healthy, and an earlier try":  {healthy(0, failed, failed, failed), 0},
		"one that is being uninstalled is not": {healthy(0, superseded, storage.StatusUninstalling, failed), 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: revision %d, want %d", name, c.got, c.want)
		}
	}
	if got := healthyBefore([]storage.Meta{{Revision: 1, Status: deployed}, {Revision: 2, Status: failed}, {Revision: 3, Status: deployed}}, 2); got != 1 {
		t.Errorf("revision %d, though a later one does not count", got)
	}
}
