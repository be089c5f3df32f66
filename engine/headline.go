package engine

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// maxHeadline bounds what a history or a line of a log says of a failure; the
// error that the call returns has the whole.
const maxHeadline = 300

// headline is the first sentence of a failure, with what it is about.
func headline(err error) string {
	text := err.Error()
	var failed *ApplyError
	if errors.As(err, &failed) && len(failed.Failed) > 0 {
		_, text, _ = strings.Cut(failed.Error(), "\n") // which revision is known
		text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return lines[0]
	}
	return strings.TrimSuffix(lines[0], ":") + ": " + lines[1]
}

// short cuts what is too long for one line.
func short(s string) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) <= maxHeadline {
		return s
	}
	return string([]rune(s)[:maxHeadline-1]) + "…"
}

// indented puts the further lines of a text below the first one.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }
