package engine

import (
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// pruneFloor is the number of living objects from which a release is big
// enough for the loss of more than half of them to be taken for a mistake: one
// of two, or three of four, is an ordinary change.
const pruneFloor = 5

// guardPrune makes a problem of a deploy that would delete what hardly anybody
// means to: all that there is, because nothing was rendered, or more than half.
// What is kept, or gone already, is not deleted and does not count as such.
func (pl *planning) guardPrune(p *Plan) {
	if p.Kind != PlanUpgrade || pl.unsafePrune {
		return
	}
	had, wanted := 0, 0
	var lost []string
	var first diff.Object
	for _, it := range p.work.items {
		if it.parent {
			continue
		}
		if it.desired != nil && !it.crd {
			wanted++
		}
		if it.base != nil && it.live != nil {
			had++
		}
		if it.change.Action == diff.Deleted {
			if len(lost) == 0 {
				first = it.object
			}
			lost = append(lost, it.object.String())
		}
	}
	var message string
	switch {
	case len(lost) == 0:
		return
	case wanted == 0:
		message = fmt.Sprintf("the manifest is empty: all objects of the release would be deleted, %s", someOf(lost))
	case had >= pruneFloor && 2*len(lost) > had:
		message = fmt.Sprintf("%d of %d objects of the release would be deleted, %s", len(lost), had, someOf(lost))
	default:
		return
	}
	p.Problems = append(p.Problems, Problem{
		Kind: ProblemPrune, Object: first, Message: message,
		Hint: "check chart and values; if that is meant, set Release.UnsafePrune, or uninstall the release",
	})
}

// someOf is the first names of a list, and how many more there are.
func someOf(names []string) string {
	const most = 3
	text := strings.Join(names[:min(len(names), most)], ", ")
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
