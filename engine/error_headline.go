package engine

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// maxHeadline bounds the text of a failure, in runes, in a revision's description
// and in an event; the error that the call returns has the whole text.
const maxHeadline = 300

// Headline returns the first sentence of an error of this package, with what it
// is about, for the condition of a resource or a message in a chat: one line of at
// most 300 characters, in which nothing controls a terminal. Any other error is
// shortened in the same way; of nil it is empty.
func Headline(err error) string {
	if err == nil {
		return ""
	}
	return short(headline(err))
}

// IgnoreNotFound returns nil for an error that wraps ErrReleaseNotFound, and any
// other error as it is: after it, an Uninstall may be repeated.
func IgnoreNotFound(err error) error {
	if errors.Is(err, ErrReleaseNotFound) {
		return nil
	}
	return err
}

// headline returns the first sentence of an error, with what it is about.
func headline(err error) string {
	text := err.Error()
	var failed *ApplyError
	if errors.As(err, &failed) && len(failed.Failed) > 0 {
		_, text, _ = strings.Cut(failed.Error(), "\n") // without the line that names the revision
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

// short returns s in one line, cut at maxHeadline.
func short(s string) string {
	s = clean.Line(s)
	if utf8.RuneCountInString(s) <= maxHeadline {
		return s
	}
	return string([]rune(s)[:maxHeadline-1]) + "…"
}

// indented returns s with all lines but the first indented.
func indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }
