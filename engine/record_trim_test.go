package engine

import (
	"slices"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

func TestAttemptsToTrim(t *testing.T) {
	objects := func(names ...string) map[diff.Object]bool {
		out := map[diff.Object]bool{}
		for _, n := range names {
			out[diff.Object{Kind: "ConfigMap", Name: n}] = true
		}
		return out
	}
	failed := func(revision int, names ...string) attempt {
		return attempt{revision, storage.StatusFailed, objects(names...), true}
	}
	deployed := attempt{1, storage.StatusDeployed, objects("a"), true}
	for name, c := range map[string]struct {
		attempts []attempt
		excess   int
		want     []int
	}{
		"nothing":                       {nil, 3, nil},
		"the oldest first":              {[]attempt{deployed, failed(2, "a"), failed(3, "a", "b"), failed(4, "b")}, 2, []int{2, 3}},
		"fewer than are too many":       {[]attempt{deployed, failed(2, "a")}, 5, []int{2}},
		"one that was healthy stays":    {[]attempt{deployed}, 1, nil},
		"one that wanted more stays":    {[]attempt{deployed, failed(2, "a", "left"), failed(3, "a")}, 2, []int{3}},
		"one whose objects are deleted": {[]attempt{deployed, failed(2, "a", "deleted"), failed(3, "a")}, 2, []int{2, 3}},
		"an interrupted one":            {[]attempt{{2, storage.StatusPendingUpgrade, objects("b"), true}}, 1, []int{2}},
		"one that cannot be read stays": {[]attempt{{2, storage.StatusFailed, nil, false}, failed(3, "a")}, 1, []int{3}},
		"one that wanted nothing":       {[]attempt{failed(2)}, 1, []int{2}},
		"an uninstall that ended early": {[]attempt{{2, storage.StatusUninstalling, objects("a"), true}}, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := attemptsToTrim(c.attempts, objects("a", "b"), objects("left"), c.excess); !slices.Equal(got, c.want) {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
