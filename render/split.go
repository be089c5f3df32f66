package render

import "strings"

// separators finds what Helm takes as the ends of documents: what a line with
// only three dashes is to YAML, and somewhat more, with the white space around
// it. As with Helm, of two such lines one after the other the second is text.
func separators(text string) [][2]int {
	var found [][2]int
	from := 0
	if strings.HasPrefix(text, "---") {
		from = skipSpace(text, 3)
		found = append(found, [2]int{0, from})
	}
	for {
		i := strings.Index(text[from:], "\n---")
		if i < 0 {
			return found
		}
		begin, end := from+i, skipSpace(text, from+i+4)
		for begin > from && isSpace(text[begin-1]) {
			begin--
		}
		found = append(found, [2]int{begin, end})
		from = end
	}
}

func skipSpace(text string, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }

// A part is one document of a text, and the line at which it begins, from 1.
type part struct {
	text   string
	closed string // text with a line's end after it: where it stands, if it has one there
	line   int
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
		p := part{doc, "", line}
		if end := at + len(doc); end < len(text) && text[end] == '\n' {
			p.closed = text[at : end+1]
		} else {
			p.closed = doc + "\n"
		}
		parts = append(parts, p)
	}
	from := 0
	for _, m := range separators(trimmed) {
		add(from, m[0])
		from = m[1]
	}
	add(from, len(trimmed))
	return parts
}
