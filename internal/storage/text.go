package storage

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Text is a manifest, in parts that follow one another. It can be megabytes;
// so what is in memory already, of a render or of another revision, is not
// copied to be a part of it. The zero Text is empty. It is read-only.
type Text struct{ parts []string }

// TextOf is a Text of the given parts.
func TextOf(parts ...string) Text {
	return Text{slices.DeleteFunc(slices.Clone(parts), func(p string) bool { return p == "" })}
}

// String joins the parts.
func (t Text) String() string {
	if len(t.parts) == 1 {
		return t.parts[0]
	}
	return strings.Join(t.parts, "")
}

// Len is the length in bytes.
func (t Text) Len() int {
	n := 0
	for _, p := range t.parts {
		n += len(p)
	}
	return n
}

// WriteTo implements io.WriterTo.
func (t Text) WriteTo(w io.Writer) (n int64, err error) {
	buffer := make([]byte, 32<<10)
	for _, p := range t.parts {
		for len(p) > 0 && err == nil {
			var written int
			written, err = w.Write(buffer[:copy(buffer, p)])
			n, p = n+int64(written), p[written:]
		}
	}
	return n, err
}

// Equal reports whether both are the same text.
func (t Text) Equal(other Text) bool {
	a, b := t.parts, other.parts
	var x, y string
	for {
		if x == "" && len(a) > 0 {
			x, a = a[0], a[1:]
		}
		if y == "" && len(b) > 0 {
			y, b = b[0], b[1:]
		}
		n := min(len(x), len(y))
		if n == 0 || x[:n] != y[:n] {
			return x == "" && y == ""
		}
		x, y = x[n:], y[n:]
	}
}

// Contains reports whether text stands in one of the documents.
func (t Text) Contains(text string) bool {
	if !t.anywhere(text) { // which joins no parts
		return false
	}
	for d := range yamlread.Documents(t.String()) {
		if strings.Contains(d.Text, text) {
			return true
		}
	}
	return false
}

// anywhere reports whether text stands in the parts, or in what is next to where
// they meet.
func (t Text) anywhere(text string) bool {
	if text == "" {
		return true
	}
	end := "" // of the parts before, shorter than text
	for _, p := range t.parts {
		if strings.Contains(end+p[:min(len(p), len(text)-1)], text) || strings.Contains(p, text) {
			return true
		}
		end += p[max(0, len(p)-len(text)+1):]
		end = end[max(0, len(end)-len(text)+1):]
	}
	return false
}

// SameDocuments reports whether both hold the same documents, apart from the
// white space around them, of which the versions of Helm leave different
// amounts.
func (t Text) SameDocuments(other Text) bool {
	if t.Equal(other) {
		return true
	}
	next, stop := iter.Pull(yamlread.Documents(other.String()))
	defer stop()
	for d := range yamlread.Documents(t.String()) {
		if o, ok := next(); !ok || d.Text != o.Text {
			return false
		}
	}
	_, more := next()
	return !more
}

// Share returns the same text with other's parts in place of equal ones of its
// own, so that documents that did not change are in memory once.
func (t Text) Share(other Text) Text {
	if len(other.parts) < 2 { // nothing that t has a part of
		return t
	}
	known := make(map[string]string, len(other.parts))
	for _, p := range other.parts {
		known[p] = p
	}
	var out Text
	add := func(p string) {
		if p == "" {
			return
		}
		have, ok := known[p]
		if !ok {
			have = strings.Clone(p) // or all of t stays in memory
			known[have] = have
		}
		out.parts = append(out.parts, have)
	}
	text, end := t.String(), 0
	for d := range yamlread.Documents(text) {
		// A rendered document is stored between a separator with a comment and a
		// line's end.
		begin := d.Start
		if strings.HasPrefix(d.Text, sourceComment) {
			line, _, _ := strings.Cut(d.Text, "\n")
			begin = min(begin+len(line)+1, d.Start+len(d.Text))
		}
		if gap := text[end:begin]; strings.HasPrefix(gap, "\n---\n") {
			add(gap[:1])
			add(gap[1:])
		} else {
			add(gap)
		}
		end = d.Start + len(d.Text)
		add(text[begin:end])
	}
	add(text[end:])
	return out
}

// sourceComment begins the line above a rendered document.
const sourceComment = "# Source: "

// json is the text as JSON. It does not implement json.Marshaler, which would
// go over each byte twice more.
func (t Text) json() (json.RawMessage, error) {
	out := append(make([]byte, 0, t.Len()+t.Len()/16+2), '"')
	for _, p := range t.parts {
		text, err := json.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("encode: %w", err)
		}
		out = append(out, text[1:len(text)-1]...)
	}
	return append(out, '"'), nil
}

// hasPrefix reports whether the text begins with prefix, of a line or two.
func (t Text) hasPrefix(prefix string) bool {
	var start strings.Builder
	for _, p := range t.parts {
		if start.Len() >= len(prefix) {
			break
		}
		start.WriteString(p[:min(len(p), len(prefix)-start.Len())])
	}
	return start.String() == prefix
}
