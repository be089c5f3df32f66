package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
)

// judgeRemoval decides about an object that an earlier revision applied and
// that is no longer wanted.
func (j *judge) judgeRemoval(ctx context.Context, o *object) (verdict, error) {
	v := verdict{change: removal(o, j.key)}
	if v.change.Action != diff.Deleted {
		return v, nil
	}
	v, err := j.withLoss(ctx, o, v)
	if err == nil && isStatefulSet(o.id) {
		v.related, err = j.claimsOfDeleted(ctx, o)
	}
	return v, err
}

// removal is zero for what is gone already.
func removal(o *object, k Key) diff.Change {
	switch other := owner(o.live); {
	case o.live == nil:
		return diff.Change{}
	case other == (Key{}):
		return diff.Change{Object: o.id, Action: diff.Kept, Reason: "it left the manifest, but belongs to no release now"}
	case other != k:
		return diff.Change{Object: o.id, Action: diff.Kept, Reason: "it left the manifest, but belongs to release " + other.String() + " now"}
	case diff.Keeps(o.live) || diff.Keeps(o.base):
		return diff.Change{Object: o.id, Action: diff.Kept, Reason: annotationPolicy + " is " + resourcePolicyKeep}
	}
	return diff.Change{Object: o.id, Action: diff.Deleted}
}
