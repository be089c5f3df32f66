package diff

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// printer writes a report as text, one change after the other.
type printer struct {
	TextOptions
	b strings.Builder
}

type colour string

const (
	bold    colour = "1"
	dim     colour = "2"
	red     colour = "31"
	green   colour = "32"
	yellow  colour = "33"
	magenta colour = "35"
	cyan    colour = "36"
)

// paint returns s in a colour if colours are enabled.
func (p *printer) paint(c colour, s string) string {
	if !p.Color || s == "" {
		return s
	}
	return "\x1b[" + string(c) + "m" + s + "\x1b[0m"
}

// line writes a line of cleaned parts, which is no command of a CI system.
func (p *printer) line(s string) {
	p.b.WriteString(strings.TrimRight(clean.Command(s), " "))
	p.b.WriteByte('\n')
}

// look returns the sign, colour and verb of a change.
func look(ch Change) (sign string, c colour, word string) {
	switch ch.Action {
	case Created:
		return "+", green, "create"
	case Deleted:
		return "-", red, "delete"
	case Replaced:
		return "±", magenta, "replace"
	case Kept:
		return "=", dim, "keep"
	case Adopted:
		sign, c, word = "~", cyan, "adopt"
	case Updated:
		sign, c, word = "~", yellow, "update"
	default:
		return " ", dim, "unchanged"
	}
	if len(ch.Conflicts()) > 0 {
		sign, c = "!", red
	}
	return sign, c, word
}

func (p *printer) change(ch Change) {
	sign, c, word := look(ch)
	left := sign + " " + oneLine(ch.Object.String())
	note := word
	if ch.Local {
		note += ", not confirmed by the server"
	}
	source := oneLine(ch.Source)
	if source != "" && columns(left)+columns(note)+columns(source)+4 <= p.Width {
		note, source = note+"  "+source, ""
	}
	gap := p.Width - columns(left) - columns(note)
	if gap < 2 {
		gap = 2
	}
	p.line(p.paint(c, p.strong(left, c)) + strings.Repeat(" ", gap) + p.paint(dim, note))
	if source != "" {
		p.line("    " + p.paint(dim, source))
	}
	if ch.Reason != "" {
		p.wrapped("    ", ch.Reason, dim)
	}
	for _, s := range ch.Warnings {
		p.warning("    ", s)
	}
	if ch.Action == Created && !p.Verbose {
		if s := digest(ch); s != "" {
			p.wrapped("    ", s, green)
		}
		p.line("")
		return
	}
	p.fields(ch)
	p.line("")
}

// strong makes the header line bold if colours are enabled.
func (p *printer) strong(s string, c colour) string {
	if !p.Color || c == dim {
		return s
	}
	return "\x1b[1m" + s
}

func (p *printer) warning(indent, s string) { p.wrapped(indent, "warning: "+s, yellow) }

// wrapped writes s, broken into lines.
func (p *printer) wrapped(indent, s string, c colour) {
	for i, l := range wrap(safe(s), p.Width-columns(indent)-2) {
		if i > 0 {
			l = "  " + l
		}
		p.line(indent + p.paint(c, l))
	}
}

// wrap breaks s at spaces into lines of at most w columns; a longer word has a
// line of its own.
func wrap(s string, w int) []string {
	var lines []string
	for _, para := range strings.Split(s, "\n") {
		line := ""
		for _, word := range strings.Fields(para) {
			if line != "" && columns(line)+1+columns(word) > w {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}

// columns returns the width of s on a terminal.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

func runeColumns(r rune) int {
	if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Cf, r) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clip truncates s to w columns.
func clip(s string, w int) string {
	if columns(s) <= w {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeColumns(r); n > w-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// safe returns s without what could control a terminal: see [clean.Escape].
// Tabs and carriage returns are visible, line feeds stay.
func safe(s string) string { return clean.Escape(visible.Replace(s)) }

var visible = strings.NewReplacer("\t", `\t`, "\r", `\r`)

func oneLine(s string) string { return strings.ReplaceAll(safe(s), "\n", `\n`) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
