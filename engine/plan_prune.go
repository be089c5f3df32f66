package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
)

// pruneFloor is the number of live objects from which losing more than half of
// a release is treated as a mistake: one of two, or three of four, is an
// ordinary change.
const pruneFloor = 5

// pruneProblems guards an upgrade against deleting what is hardly meant: all
// objects, because nothing was rendered, or more than half of them. What is kept,
// or gone already, is not deleted and does not count as such.
func pruneProblems(steps []step) []Problem {
	had, wanted := 0, 0
	var lost []string
	var first diff.Object
	for _, s := range steps {
		o := s.object
		if o.isSetParent() {
			continue
		}
		if o.desired != nil && o.origin != fromCRDs {
			wanted++
		}
		if o.base != nil && o.live != nil {
			had++
		}
		if s.change.Action == diff.Deleted {
			if len(lost) == 0 {
				first = o.id
			}
			lost = append(lost, o.id.String())
		}
	}
	var message string
	switch {
	case len(lost) == 0:
		return nil
	case wanted == 0:
		message = fmt.Sprintf("the manifest is empty: all objects of the release would be deleted, %s", someOf(lost))
	case had >= pruneFloor && 2*len(lost) > had:
		message = fmt.Sprintf("%d of %d objects of the release would be deleted, %s", len(lost), had, someOf(lost))
	default:
		return nil
	}
	return []Problem{newProblem(ProblemPrune, first, message, "check chart and values; if it is intended, set Release.UnsafePrune, or uninstall the release")}
}
