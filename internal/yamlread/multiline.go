package yamlread

// plainLines reads the lines of a plain scalar after its first, which is s, inside of
// a block at the indentation. They are folded: one line break becomes a space, of
// several in a row the first is dropped.
func (r *reader) plainLines(s string, indent int) string {
	folded, blanks := false, 0
	for r.next < len(r.text) {
		line, after := r.lineAt(r.next)
		spaces := leadingSpaces(line)
		if spaces == len(line) {
			r.next = after
			blanks++
			continue
		}
		if spaces <= indent || line[spaces] == '#' {
			break
		}
		text, commented := cutComment(trimSpaces(line[spaces:]))
		if r.hasTab(line) || hasKey(text) {
			r.fail()
			return ""
		}
		if !folded {
			r.folded = append(r.folded[:0], s...)
			folded = true
		}
		r.fold(text, blanks)
		r.next, blanks = after, 0
		if commented {
			break
		}
	}
	if !folded {
		return s
	}
	return string(r.folded)
}

// quotedLines reads a quoted scalar that begins with s and ends on a later line, as
// plainLines does. It is false for escapes beyond the common ones.
func (r *reader) quotedLines(s string, indent int) (text, rest string, ok bool) {
	quote, blanks := s[0], 0
	// The line came without the spaces at its end.
	var closed bool
	if r.folded, _, closed, ok = appendQuoted(r.folded[:0], s[1:], quote); !ok || closed {
		return "", "", false
	}
	for r.next < len(r.text) {
		line, after := r.lineAt(r.next)
		r.next = after
		spaces := leadingSpaces(line)
		if spaces == len(line) {
			blanks++
			continue
		}
		if spaces <= indent || r.hasTab(line) {
			return "", "", false
		}
		r.fold("", blanks)
		blanks = 0
		r.folded, rest, closed, ok = appendQuoted(r.folded, trimSpaces(line[spaces:]), quote)
		if !ok || closed {
			return string(r.folded), rest, ok
		}
	}
	return "", "", false
}

// fold appends a line of a scalar that so many blank lines stand before.
func (r *reader) fold(line string, blanks int) {
	if blanks == 0 {
		r.folded = append(r.folded, ' ')
	}
	for range blanks {
		r.folded = append(r.folded, '\n')
	}
	r.folded = append(r.folded, line...)
}

// appendQuoted appends what stands in quotes to the end of the line or to the closing
// quote, which rest follows. It is false for escapes beyond the common ones.
func appendQuoted(to []byte, s string, quote byte) (text []byte, rest string, closed, ok bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quote == '"':
			i++
			if i == len(s) {
				return to, "", false, false
			}
			switch s[i] {
			case 'n':
				to = append(to, '\n')
			case 't':
				to = append(to, '\t')
			case '"', '\\':
				to = append(to, s[i])
			default:
				return to, "", false, false
			}
		case c == quote && quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			to = append(to, c)
			i++
		case c == quote:
			return to, s[i+1:], true, true
		default:
			to = append(to, c)
		}
	}
	return to, "", false, true
}
