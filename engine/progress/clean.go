package progress

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean returns untrusted text as one safe line: without control characters
// (which makes escape sequences plain text), invisible characters, characters
// that change the direction of text, and invalid UTF-8.
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
	// A command of GitHub's runner, anywhere in a line.
	return strings.ReplaceAll(b.String(), "##[", "## [")
}
