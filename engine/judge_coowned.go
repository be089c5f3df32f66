package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// withLost adds the fields that are as desired, and that another manager has
// taken since the newest revision, by changing them and changing them back. A
// plan that undoes drift takes them back; any other only says whose they are.
func (j *judge) withLost(ctx context.Context, in intended, f prediction, v verdict) (verdict, error) {
	if in.live == nil || in.base == nil || in.unwritten || f.settled || v.change.Action != diff.Unchanged && v.change.Action != diff.Updated {
		return v, nil
	}
	lost, err := j.merger.Lost(ctx, in.live, f.body, j.manager, j.formerManagers(in.live))
	var undecided *merge.UndecidedError
	if errors.As(err, &undecided) {
		return v, nil
	}
	if err != nil {
		return verdict{}, err
	}
	var fields []diff.Field
	for _, l := range lost {
		base, found, err := diff.Lookup(in.base, l.Path)
		switch {
		case err != nil || !found || !j.isRecent(l):
		case !j.mode.undoesDrift():
			v.change.Warnings = appendNew(slices.Clip(v.change.Warnings), fmt.Sprintf("%s is as desired, and is %s's now, which has changed it and changed it back; correcting the drift takes it back", l.Path, l.Manager))
		case j.settle(in.object, l.Manager, l.Path) == Take:
			fields = append(fields, diff.Field{Path: l.Path, Base: base, Live: l.Value, Desired: l.Value, Cause: diff.Drift, Manager: l.Manager, Time: l.Time, CoOwned: true})
		}
	}
	if len(fields) == 0 {
		return v, nil
	}
	shown := j.redactor.Change(diff.Change{Object: in.id, Fields: fields}).Fields
	v.change.Fields = append(slices.Clip(v.change.Fields), shown...)
	v.change.Action = diff.Updated
	v.write.takeBack = &takeBack{former: j.formerManagers(in.live), fields: fields}
	return v, nil
}

// isRecent reports whether a field was taken since the newest revision was
// recorded, as far as times to the second show.
func (j *judge) isRecent(l merge.Lost) bool {
	recorded := j.history.last.Created()
	return l.Time == nil || recorded.IsZero() || !l.Time.Before(recorded)
}
