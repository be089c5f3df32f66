package progress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes foreign text one harmless line: no control characters (escape
// sequences lose their first character, and with it their power), nothing that
// is invisible or turns the direction of text round, and no invalid UTF-8.
func clean(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t', r == '\n', r == '\u2028', r == '\u2029':
			b.WriteByte(' ')
		case r == utf8.RuneError, unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
		default:
			b.WriteRune(r)
		}
	}
	// A command to GitHub's runner, wherever it stands in a line.
	return strings.ReplaceAll(b.String(), "##[", "## [")
}
