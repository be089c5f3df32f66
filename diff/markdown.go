package diff

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// MarkdownOptions configures [Report.WriteMarkdown].
type MarkdownOptions struct {
	// Limit is the maximum size in bytes. Zero: 65536, the limit of a GitHub
	// comment. The heading, the summary and the number of omitted objects are
	// written even if they exceed it.
	Limit int
	// Verbose shows all fields of created objects, all defaults, and values
	// in full.
	Verbose bool
}

// commentLimit is the maximum size of a GitHub comment; GitLab accepts more.
const commentLimit = 65536

// WriteMarkdown writes the report as a comment on a pull request: the summary,
// then the objects, most important first (conflicts, replacements, deletions,
// updates, adoptions, creations), each collapsible. Objects that no longer fit
// are listed by name, and those that do not fit by name are counted.
func (r Report) WriteMarkdown(w io.Writer, o MarkdownOptions) error {
	if o.Limit <= 0 {
		o.Limit = commentLimit
	}
	var b strings.Builder
	if r.Title != "" {
		fmt.Fprintf(&b, "### %s\n\n", clean.Markdown(r.Title))
	}
	fmt.Fprintf(&b, "**%s**\n", clean.Markdown(r.Summary()))
	for _, s := range r.Warnings {
		fmt.Fprintf(&b, "\n> ⚠️ %s\n", clean.Markdown(s))
	}
	for _, s := range r.Notes {
		fmt.Fprintf(&b, "\n> %s\n", clean.Markdown(s))
	}
	changes := make([]Change, 0, len(r.Changes))
	unchanged := 0
	for _, ch := range r.Changes {
		if ch.Action == Unchanged && len(ch.Warnings) == 0 {
			unchanged++
			continue
		}
		changes = append(changes, ch)
	}
	slices.SortStableFunc(changes, func(a, b Change) int { return cmp.Compare(weight(a), weight(b)) })

	tail := ""
	if unchanged > 0 {
		tail = "\n" + plural(unchanged, "object", "objects") + " unchanged.\n"
	}
	const reserve = 80 // for the number of omitted objects
	left := 0
	for _, ch := range changes {
		full, short := mdChange(ch, o), mdShort(ch)
		switch room := o.Limit - b.Len() - len(tail) - reserve; {
		case left == 0 && len(full) <= room:
			b.WriteString(full)
		case len(short) <= room:
			b.WriteString(short)
		default:
			left++
		}
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n… and %s more that did not fit.\n", plural(left, "object", "objects"))
	}
	b.WriteString(tail)
	_, err := io.WriteString(w, b.String())
	return err
}

// weight sorts changes by what a reviewer must see first.
func weight(ch Change) int {
	if len(ch.Conflicts()) > 0 {
		return 0
	}
	switch ch.Action {
	case Replaced:
		return 1
	case Deleted:
		return 2
	case Updated:
		return 3
	case Adopted:
		return 4
	case Created:
		return 5
	case Kept:
		return 6
	}
	return 7
}

func mdShort(ch Change) string {
	sign, _, word := look(ch)
	return fmt.Sprintf("\n`%s` %s: %s\n", sign, clean.Markdown(ch.Object.String()), word)
}

// mdChange returns one object, collapsible, with its fields as in the text report.
func mdChange(ch Change, o MarkdownOptions) string {
	sign, _, word := look(ch)
	p := &printer{TextOptions: TextOptions{Width: 110, Verbose: o.Verbose}}
	if ch.Action == Created && !o.Verbose {
		if s := digest(ch); s != "" {
			p.wrapped("", s, green)
		}
	} else {
		p.fields(ch)
	}
	open := ""
	if weight(ch) < 3 {
		open = " open"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details%s><summary><code>%s</code> %s: %s", open, sign, clean.MarkdownHTML(ch.Object.String()), word)
	if ch.Local {
		b.WriteString(", not confirmed by the server")
	}
	b.WriteString("</summary>\n")
	if ch.Reason != "" {
		fmt.Fprintf(&b, "\n%s\n", clean.Markdown(ch.Reason))
	}
	for _, s := range ch.Warnings {
		fmt.Fprintf(&b, "\n> ⚠️ %s\n", clean.Markdown(s))
	}
	if body := p.b.String(); body != "" {
		fence := fenceFor(body)
		fmt.Fprintf(&b, "\n%sdiff\n%s%s\n", fence, mdDiff(body), fence)
	}
	b.WriteString("\n</details>\n")
	return b.String()
}

// mdDiff moves the signs of the text report to the first column, where the
// colouring of a diff block looks for them.
func mdDiff(body string) string {
	var b strings.Builder
	for line := range strings.Lines(body) {
		text := strings.TrimLeft(line, " ")
		indent := len(line) - len(text)
		if sign, rest, ok := strings.Cut(text, " "); ok && (indent == 2 || indent == 6) && (sign == "+" || sign == "-" || sign == "!" || sign == "~") {
			if sign == "~" {
				sign = "!" // the sign of a change in a diff block
			}
			b.WriteString(sign + strings.Repeat(" ", indent) + rest)
			continue
		}
		b.WriteString(line)
	}
	return b.String()
}

// fenceFor returns a fence longer than any run of backquotes in body.
func fenceFor(body string) string {
	longest, run := 2, 0
	for _, r := range body {
		if r == '`' {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return strings.Repeat("`", longest+1)
}
