package engine

import (
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// foundObjects are objects outside of the release that a plan concerns. Those
// that Options.Allow blocks are counted and not named.
type foundObjects struct {
	names   []string // "Kind namespace/name"
	unnamed int
}

// found adds an object.
func (p premise) found(to foundObjects, o diff.Object) foundObjects {
	if !p.reveals(o) {
		to.unnamed++
		return to
	}
	to.names = append(to.names, o.Kind+" "+strings.TrimPrefix(o.Namespace+"/"+o.Name, "/"))
	return to
}

func (f foundObjects) count() int { return len(f.names) + f.unnamed }

// named continues a sentence that has their number with the names of the first
// ones; empty: none may be named.
func (f foundObjects) named() string {
	if len(f.names) == 0 {
		return ""
	}
	return ": " + f.some()
}

// some names the first ones, and says how many more there are.
func (f foundObjects) some() string {
	if len(f.names) == 0 {
		return fmt.Sprintf("%d objects that Options.Allow blocks", f.unnamed)
	}
	return someAnd(f.names, f.unnamed)
}
