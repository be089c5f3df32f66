package engine

import (
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Values are reused of the deployed revision, or of the newest one if none is.
func TestRevisionToReuse(t *testing.T) {
	for statuses, want := range map[string]int{
		"":                            0,
		"failed":                      1,
		"deployed failed":             1,
		"superseded deployed failed":  2,
		"uninstalled":                 0,
		"deployed uninstalled":        0,
		"uninstalled failed":          2,
		"uninstalled deployed failed": 2,
		"deployed uninstalled failed": 3,
	} {
		var revisions []storage.Meta
		for i, status := range strings.Fields(statuses) {
			revisions = append(revisions, storage.Meta{Revision: i + 1, Status: storage.Status(status)})
		}
		if got := revisionToReuse(revisions); got != want {
			t.Errorf("%q: revision %d, want %d", statuses, got, want)
		}
	}
}
