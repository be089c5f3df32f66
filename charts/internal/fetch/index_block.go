package fetch

import (
	"bytes"
	"strings"
)

// entriesBlock collects the lines of a chart from an index as Helm writes it, in block style with a key on each line.
type entriesBlock struct {
	name string
	most int64 // bytes of lines; the rest is counted as one more line, and not kept

	lines  bytes.Buffer // of the chart
	found  bool
	charts int
	other  bool // it is written in another style

	inside  bool // of entries
	mine    bool // in the lines of the chart
	partial bool // the line goes on
	indent  int  // of the keys
}

// piece takes the next line, or the next part of one that is very long.
func (b *entriesBlock) piece(piece []byte) {
	begins := !b.partial
	b.partial = !bytes.HasSuffix(piece, []byte("\n"))
	if begins && !b.other {
		b.line(piece)
	}
	if b.mine && !b.other && int64(b.lines.Len()) <= b.most {
		b.lines.Write(piece)
	}
}

func (b *entriesBlock) line(line []byte) {
	text := bytes.TrimRight(line, " \r\n")
	content := bytes.TrimLeft(text, " ")
	depth := len(text) - len(content)
	switch {
	case len(content) == 0 || content[0] == '#':
		return
	case content[0] == '\t':
		b.other = true
		return
	case depth == 0:
		b.mine = false
		b.inside = string(text) == "entries:"
		b.other = b.inside && b.charts > 0
		return
	case !b.inside || b.indent > 0 && depth > b.indent || depth == b.indent && content[0] == '-':
		return
	case b.indent > 0 && depth < b.indent:
		b.other = true
		return
	}
	b.indent = depth
	key, isKey := blockKey(content)
	if !isKey {
		b.other = true
		return
	}
	b.charts++
	b.mine = key == b.name
	b.other = b.mine && b.found // twice
	b.found = b.found || b.mine
}

// blockKey returns the key of a line that has nothing but a key.
func blockKey(line []byte) (string, bool) {
	key, found := strings.CutSuffix(string(line), ":")
	if !found || key == "" {
		return "", false
	}
	if quote := key[0]; quote == '"' || quote == '\'' {
		inner := strings.Trim(key, string(quote))
		return inner, len(inner) == len(key)-2 && !strings.ContainsAny(inner, `\"'`)
	}
	return key, !strings.ContainsAny(key, ":{}[],&*!|>%@`#\"' ?")
}
