package engine

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// saysDuplicate matches what server-side apply says of a list in which two
// items have the same keys: the list's path, and the keys.
var saysDuplicate = regexp.MustCompile(`(\.(?:"(?:[^"\\]|\\.)*"|[^"\s:])+): duplicate entries for key \[((?:"(?:[^"\\]|\\.)*"|[^"\]])*)\]`)

// otherFault matches what it says of other faults of the same object.
var otherFault = regexp.MustCompile(`field not declared in schema|expected \w+, got`)

// fixDuplicates is what to do about items that are there more than once.
const fixDuplicates = "server-side apply identifies the items of this list by these fields, so that each can be there only once: remove all but one, from the template or from the values that it adds them from"

// duplicates are the lists in an API server's refusal that have an item more
// than once, and sentences that say so, and what else it says; empty if it says
// nothing of the kind.
func duplicates(refusal string) (message string, fields []string) {
	var texts []string
	for _, m := range saysDuplicate.FindAllStringSubmatch(refusal, -1) {
		list, keys := strings.TrimPrefix(m[1], "."), strings.TrimPrefix(m[2], "=")
		texts = appendNew(texts, fmt.Sprintf("%s has more than one item with %s", list, keys))
		fields = appendNew(fields, list)
	}
	if rest := saysDuplicate.ReplaceAllString(refusal, ""); len(texts) > 0 && otherFault.MatchString(rest) {
		texts = append(texts, strings.Join(strings.Fields(rest), " "))
	}
	return strings.Join(texts, "; "), fields
}

// namesTwice reports whether two items of a list have the same name.
func namesTwice(u *unstructured.Unstructured, field string) bool {
	list, _ := u.Object[field].([]any)
	seen := map[string]bool{}
	for _, item := range list {
		name := nameOf(item)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}
