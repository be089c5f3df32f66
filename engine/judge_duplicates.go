package engine

import (
	"fmt"
	"regexp"
	"strings"
)

// saysDuplicate matches what server-side apply says of a list in which two
// items have the same keys, in the words of [readable]: the list's path, and the
// keys.
var saysDuplicate = regexp.MustCompile(`^(.*[a-zA-Z].*): duplicate entries for key \[=?(.*)\]$`)

// fixDuplicates is what to do about items that are there more than once.
const fixDuplicates = "server-side apply identifies the items of this list by these fields, so that each can be there only once: remove all but one, from the template or from the values that it adds them from"

// duplicates is a readable refusal in which the lists that have an item more
// than once are named in a sentence; found is false if there are none.
func duplicates(refusal string) (message string, found bool) {
	var parts []string
	for part := range strings.SplitSeq(refusal, "; ") {
		if m := saysDuplicate.FindStringSubmatch(part); m != nil {
			part, found = fmt.Sprintf("%s has more than one item with %s", m[1], m[2]), true
		}
		parts = appendNew(parts, part)
	}
	return strings.Join(parts, "; "), found
}
