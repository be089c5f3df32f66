package render

import (
	"regexp"
	"strings"
)

// separator is what Helm takes as the end of a document: what a line with only
// three dashes is to YAML, and somewhat more.
var separator = regexp.MustCompile(`(?:^|\s*\n)---\s*`)

// A part is one document of a text, and the line at which it begins, from 1.
type part struct {
	text string
	line int
}

// split cuts a text into documents as Helm does it; blank ones are left out.
func split(text string) []part {
	trimmed := strings.TrimSpace(text)
	start := strings.Index(text, trimmed)
	var parts []part
	line, counted := 1, 0
	add := func(from, to int) {
		if from == to {
			return
		}
		doc := strings.TrimSpace(trimmed[from:to])
		at := start + from + strings.Index(trimmed[from:to], doc)
		line += strings.Count(text[counted:at], "\n")
		counted = at
		parts = append(parts, part{doc, line})
	}
	from := 0
	for _, m := range separator.FindAllStringIndex(trimmed, -1) {
		add(from, m[0])
		from = m[1]
	}
	add(from, len(trimmed))
	return parts
}
