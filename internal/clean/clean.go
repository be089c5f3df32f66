// Package clean makes text of foreign origin safe to show: what comes from a
// cluster, a chart, a registry, the stored history or a stored plan.
//
// Cleaned text moves no cursor, does not change the direction of what is around
// it, hides nothing, and is no command of a CI system that reads the log. What
// would do so is written as an escape such as \u001b, so that a reader sees it.
// Cleaned text stays the same if it is cleaned again.
package clean

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s on one line: line breaks and tabs become spaces.
func Line(s string) string {
	if plain(s) {
		return s
	}
	s = oneLine.Replace(s)
	return Command(Escape(s))
}

// Short is Line of a text that is cut after so many runes, with "…" for the rest.
// It costs no more for a longer text.
func Short(s string, runes int) string {
	if len(s) > utf8.UTFMax*runes {
		s = s[:utf8.UTFMax*runes]
	}
	s = Line(strings.ToValidUTF8(s, "\uFFFD"))
	if short := []rune(s); len(short) > runes {
		return string(short[:runes]) + "…"
	}
	return s
}

// oneLine replaces what starts a new line, or a new page.
var oneLine = strings.NewReplacer(
	"\r\n", " ", "\n", " ", "\r", " ", "\t", " ", "\v", " ", "\f", " ", "\u0085", " ", "\u2028", " ", "\u2029", " ",
)

// Text returns s with its lines; \r\n counts as one line break. Tabs stay.
func Text(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	for line := range strings.Lines(Escape(strings.ReplaceAll(s, "\r\n", "\n"))) {
		b.WriteString(Command(line))
	}
	return b.String()
}

// plain reports whether s is one line of printable ASCII that no CI system takes
// for a command, as most texts are.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return !strings.HasPrefix(strings.TrimLeft(s, " "), "::") && !strings.Contains(s, "##")
}

// Escape returns s with every rune that is not safe to show as an escape, and
// invalid UTF-8 as U+FFFD. Line feeds and tabs stay. Its lines may still be taken
// for commands: see [Command].
func Escape(s string) string {
	if strings.IndexFunc(s, unsafe) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !unsafe(r):
			b.WriteRune(r)
		case r == '\r':
			b.WriteString(`\r`)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// unsafe reports whether a rune controls a terminal, changes the direction of
// text, breaks lines or cannot be seen.
func unsafe(r rune) bool {
	switch {
	case r >= ' ' && r <= '~', r == '\t', r == '\n':
		return false
	case r == '\ufe0e', r == '\ufe0f': // choose between a sign and its coloured picture
		return false
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp,
		unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// marked matches the commands of Azure Pipelines, of older GitHub runners, and
// of TeamCity, which are read anywhere in a line.
var marked = regexp.MustCompile(`##([A-Za-z]*\[)`)

// Command returns a line that no CI system takes for a command: a GitHub runner
// reads what begins with "::" after any space, others what has "##name[" in it.
// It is for lines that were assembled from cleaned parts.
func Command(line string) string {
	line = Unmarked(line)
	if text := strings.TrimLeftFunc(line, unicode.IsSpace); strings.HasPrefix(text, "::") {
		at := len(line) - len(text) + 1
		line = line[:at] + " " + line[at:]
	}
	return line
}

// Unmarked returns s without the commands that are read anywhere in a line. It is
// for text that is not at the beginning of one.
func Unmarked(s string) string {
	if !strings.Contains(s, "##") {
		return s
	}
	return marked.ReplaceAllString(s, "## $1")
}
