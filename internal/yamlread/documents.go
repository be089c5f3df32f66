package yamlread

import (
	"iter"
	"strings"
)

// Document is one of the documents of a text.
type Document struct {
	// Text is the document without the white space around it.
	Text string
	// Start is where Text begins in the whole, in bytes, and Line in which line
	// of it, from 1.
	Start, Line int
}

// Closed returns the document with a line's end after it, which counts where it
// ends in a block scalar.
func (d Document) Closed(whole string) string {
	end := d.Start + len(d.Text)
	if end < len(whole) && whole[end] == '\n' {
		return whole[d.Start : end+1]
	}
	return d.Text + "\n"
}

// Documents yields the documents of a text, of YAML or of a stored manifest.
//
// The rule is Helm's: a document ends at a line that begins with three dashes.
// The dashes, all white space before them and all after them are between
// documents; anything else on their line belongs to the document that follows.
// So the second of two such lines, one after the other, is part of a document.
// What is empty is no document.
func Documents(text string) iter.Seq[Document] {
	return func(yield func(Document) bool) {
		line, counted := 1, 0
		document := func(from, to int) bool {
			if from == to {
				return true
			}
			doc := strings.TrimSpace(text[from:to])
			start := from + strings.Index(text[from:to], doc)
			line += strings.Count(text[counted:start], "\n")
			counted = start
			return yield(Document{Text: doc, Start: start, Line: line})
		}
		trimmed := strings.TrimSpace(text)
		from := strings.Index(text, trimmed)
		body := text[:from+len(trimmed)]
		if strings.HasPrefix(trimmed, "---") {
			from = skipSpace(body, from+3)
		}
		for {
			i := strings.Index(body[from:], "\n---")
			if i < 0 {
				document(from, len(body))
				return
			}
			begin, next := from+i, skipSpace(body, from+i+4)
			for begin > from && isSpace(body[begin-1]) {
				begin--
			}
			if !document(from, begin) {
				return
			}
			from = next
		}
	}
}

func skipSpace(text string, at int) int {
	for at < len(text) && isSpace(text[at]) {
		at++
	}
	return at
}

// isSpace reports what is white space to regular expressions, as Helm uses them.
func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }
