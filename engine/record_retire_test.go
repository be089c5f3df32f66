package engine

import (
	"testing"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// What is recorded in an earlier revision once revision 5 is the present one.
func TestRetirement(t *testing.T) {
	const interrupted = "interrupted before its outcome was known; revision 5 followed"
	for status, want := range map[storage.Status]struct {
		status      storage.Status
		description string
	}{
		storage.StatusDeployed:        {storage.StatusSuperseded, ""},
		storage.StatusPendingInstall:  {storage.StatusFailed, interrupted},
		storage.StatusPendingUpgrade:  {storage.StatusFailed, interrupted},
		storage.StatusPendingRollback: {storage.StatusFailed, interrupted},
		storage.StatusUninstalling:    {storage.StatusFailed, interrupted},
		storage.StatusSuperseded:      {},
		storage.StatusFailed:          {},
		storage.StatusUninstalled:     {},
	} {
		got, description, ok := retirement(storage.Meta{Revision: 3, Status: status}, 5)
		if got != want.status || description != want.description || ok != (want.status != "") {
			t.Errorf("%s: %q, %q, %v", status, got, description, ok)
		}
	}
}
