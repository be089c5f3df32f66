package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// deployValues returns the values of a release, with those of its history as it
// asks for.
func (e *Engine) deployValues(ctx context.Context, r Release, h *history) (deployValues, error) {
	out := deployValues{given: r.Values}
	if err := oneOf("Release.ReuseValues", r.ReuseValues, ResetValues, ReuseStored, ResetThenReuse); err != nil {
		return out, refused("plan", r.Key, err)
	}
	revision := revisionToReuse(h.inventory.Revisions)
	if r.ReuseValues == ResetValues || revision == 0 {
		return out, nil
	}
	record, err := e.store.Get(ctx, r.Namespace, r.Name, revision)
	if err != nil {
		return out, fmt.Errorf("read the values to reuse: %w", err)
	}
	given, chart, trimmed, err := storedValues(record)
	if err != nil {
		return out, broken(record, err)
	}
	if r.ReuseValues == ReuseStored {
		if trimmed == storage.TrimmedValues {
			return out, &Error{
				Op: "plan", Key: r.Key, Hint: "use ResetThenReuse, which needs the user's values only",
				Err: errors.New("the revision was too big to be stored with its chart's values, which ReuseStored needs"),
			}
		}
		computed := given.Over(chart)
		out.chart = &computed
	}
	out.given = r.Values.Over(given)
	return out, nil
}

// revisionToReuse is the deployed revision, or the newest one if none is; 0 if
// the release is not installed.
func revisionToReuse(revisions []storage.Meta) int {
	if len(revisions) == 0 || revisions[len(revisions)-1].Status == storage.StatusUninstalled {
		return 0
	}
	for _, m := range slices.Backward(revisions) {
		if m.Status == storage.StatusUninstalled {
			break
		}
		if m.Status == storage.StatusDeployed {
			return m.Revision
		}
	}
	return revisions[len(revisions)-1].Revision
}
