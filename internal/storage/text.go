package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
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

// Equal says whether both are the same text.
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

// separator opens a line between two documents.
const separator = "\n---"

// Documents goes over what is between the separators. What it yields is good
// until it goes on.
func (t Text) Documents() iter.Seq[[]byte] {
	const piece = 32 << 10 // a part may be the whole text
	return func(yield func([]byte) bool) {
		var doc []byte
		for _, p := range t.parts {
			for len(p) > 0 {
				from := max(0, len(doc)-len(separator)+1)
				n := min(len(p), piece)
				doc, p = append(doc, p[:n]...), p[n:]
				rest := doc
				for {
					i := bytes.Index(rest[from:], []byte(separator))
					if i < 0 {
						break
					}
					if !yield(rest[:from+i]) {
						return
					}
					rest, from = rest[from+i+len(separator):], 0
				}
				doc = doc[:copy(doc, rest)]
			}
		}
		yield(doc)
	}
}

// Contains says whether text stands in one of the documents.
func (t Text) Contains(text string) bool {
	for doc := range t.Documents() {
		if bytes.Contains(doc, []byte(text)) {
			return true
		}
	}
	return false
}

// SameDocuments says whether both hold the same documents, but for blank lines
// at their ends, of which the versions of Helm leave different ones.
func (t Text) SameDocuments(other Text) bool {
	if t.Equal(other) {
		return true
	}
	next, stop := iter.Pull(other.Documents())
	defer stop()
	for doc := range t.Documents() {
		if o, ok := next(); !ok || !bytes.Equal(bytes.TrimSpace(doc), bytes.TrimSpace(o)) {
			return false
		}
	}
	_, more := next()
	return !more
}

// Share answers the same text with other's parts in the place of equal ones of
// its own: documents that did not change are in memory once.
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
	text := t.String()
	for text != "" {
		doc := text
		if i := strings.Index(text, separator+"\n"); i >= 0 {
			doc = text[:i+1]
		}
		text = text[len(doc):]
		// What a render prints is the text of a document between a separator
		// with a comment, and a line's end.
		opening := 0
		for _, line := range []string{separator[1:] + "\n", "# Source: "} {
			if strings.HasPrefix(doc[opening:], line) {
				opening += strings.IndexByte(doc[opening:], '\n') + 1
			}
		}
		body := strings.TrimRight(doc[opening:], "\n")
		add(doc[:opening])
		add(body)
		add(doc[opening+len(body):])
	}
	return out
}

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

// hasPrefix says whether the text begins with that of a line or two.
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
