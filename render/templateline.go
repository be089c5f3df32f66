package render

import (
	"regexp"
	"strings"
)

var templateAction = regexp.MustCompile(`\{\{.*?\}\}`)

// templateLine guesses which line of a template, from 1, printed a line: the
// only one whose text outside of actions is found in it, or the one with most
// such text. It is 0 if there is no telling, as for what an include printed.
func templateLine(template, printed string) int {
	printed = strings.TrimSpace(printed)
	best, most, tie := 0, 0, false
	n := 0
	for line := range strings.Lines(template) {
		n++
		weight := matches(strings.TrimSpace(line), printed)
		switch {
		case weight < 3 || weight < most:
		case weight == most:
			tie = true
		default:
			best, most, tie = n, weight, false
		}
	}
	if tie {
		return 0
	}
	return best
}

// matches returns how many characters of a template's line are literally in what
// was printed, or 0 if it cannot have printed it.
func matches(line, printed string) int {
	literals := templateAction.Split(line, -1)
	weight, rest := 0, printed
	for i, literal := range literals {
		switch {
		case i == 0 && !strings.HasPrefix(rest, literal),
			i == len(literals)-1 && !strings.HasSuffix(rest, literal):
			return 0
		}
		at := strings.Index(rest, literal)
		if at < 0 {
			return 0
		}
		rest = rest[at+len(literal):]
		weight += len(strings.ReplaceAll(literal, " ", ""))
	}
	if len(literals) == 1 && line != printed {
		return 0
	}
	return weight
}
