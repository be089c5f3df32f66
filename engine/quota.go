package engine

import (
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// quotaHintOf is what to do about a quota that does not allow an object, where
// the plan itself would make room: what leaves is deleted when everything else
// is written, so that a failure leaves no gap. It is quotaHint if nothing leaves
// the object's namespace.
func quotaHintOf(o diff.Object, steps []step) string {
	var leaving []string
	for _, s := range steps {
		if s.change.Action == diff.Deleted && s.object.id.Namespace == o.Namespace {
			leaving = append(leaving, s.object.id.Kind+" "+s.object.id.Name)
		}
	}
	if len(leaving) == 0 {
		return quotaHint
	}
	return quotaHint + "; what leaves the release counts until all else is written: " + someOf(leaving) +
		" can be deleted beforehand, or in a deploy of its own without what is new"
}

// withQuotaHint is a problem with the hint of quotaHintOf, if it is about a
// quota.
func (p Problem) withQuotaHint(steps []step) Problem {
	if saysQuota.MatchString(p.Message) {
		p.Hint = strings.Replace(p.Hint, quotaHint, quotaHintOf(p.Object, steps), 1)
	}
	return p
}
