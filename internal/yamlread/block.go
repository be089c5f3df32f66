package yamlread

import "strings"

// blockScalar reads a text that begins with | or >, and goes to the line after it.
func (r *reader) blockScalar(header string, indent int) any {
	literal, chomp, given, ok := blockHeader(header)
	inner := indent + given
	if ok && given == 0 {
		inner, ok = r.blockIndent(indent)
	}
	if !ok {
		r.fail()
		return nil
	}
	var text strings.Builder
	text.Grow(r.blockSize(inner))
	// Broken is whether the last line has a line break, which is not written yet;
	// blanks is how many blank lines follow it. A line that begins with a space is
	// not folded with those around it.
	empty, broken, spaced, blanks := true, false, false, 0
	for r.next < len(r.text) {
		line, after := r.lineAt(r.next)
		spaces := leadingSpaces(line)
		if spaces == len(line) && spaces <= inner {
			if r.text[after-1] == '\n' {
				blanks++
			}
			r.next = after
			continue
		}
		if spaces < inner {
			break
		}
		line = line[inner:]
		again := line[0] == ' ' || line[0] == '\t'
		switch {
		case !broken:
		case literal || spaced || again:
			text.WriteByte('\n')
		case blanks == 0:
			text.WriteByte(' ')
		}
		for ; blanks > 0; blanks-- {
			text.WriteByte('\n')
		}
		text.WriteString(line)
		empty, broken, spaced = false, r.text[after-1] == '\n', again
		r.next = after
	}
	if empty {
		r.fail()
		return nil
	}
	if broken && chomp != '-' {
		text.WriteByte('\n')
	}
	for ; blanks > 0 && chomp == '+'; blanks-- {
		text.WriteByte('\n')
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail()
	}
	if text.Cap() > 2*text.Len() { // many blank lines at its end
		return strings.Clone(text.String())
	}
	return text.String()
}

// blockSize returns at most how long the text of the block scalar is that comes
// next, so that it is not moved while it grows.
func (r *reader) blockSize(inner int) int {
	size := 0
	for next := r.next; next < len(r.text); {
		line, after := r.lineAt(next)
		if spaces := leadingSpaces(line); spaces < inner && spaces < len(line) {
			break
		}
		size += max(0, len(line)-inner) + 1
		next = after
	}
	return size
}

// blockHeader reads the line that a block scalar begins with. Chomp is '-', '+' or 0,
// and indent the indentation that the header gives, 0 if none.
func blockHeader(header string) (literal bool, chomp byte, indent int, ok bool) {
	literal, header = header[0] == '|', strings.TrimRight(header[1:], " ")
	for header != "" {
		switch c := header[0]; {
		case (c == '-' || c == '+') && chomp == 0:
			chomp = c
		case c >= '1' && c <= '9' && indent == 0:
			indent = int(c - '0')
		default:
			return literal, chomp, indent, ends(header)
		}
		header = header[1:]
	}
	return literal, chomp, indent, true
}

// blockIndent looks for the first line of a block scalar, inside of a block at the
// indentation.
func (r *reader) blockIndent(indent int) (int, bool) {
	most := 0
	for at := r.next; at < len(r.text); {
		line, after := r.lineAt(at)
		at = after
		spaces := leadingSpaces(line)
		if spaces == len(line) {
			most = max(most, spaces)
			continue
		}
		return spaces, spaces > indent && spaces >= most && line[spaces] != '\t'
	}
	return 0, false
}
