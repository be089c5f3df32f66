package yamlread

import "strings"

// The methods of this file go through a text as those of the same names without
// skip do. They fail for each text that those fail for, count the nodes, and make
// nothing of them.

// skipDocument calls each with the entries of the mapping that the document is, which
// must begin at the start of its line: the key, and the lines that it stands on.
func (r *reader) skipDocument(each func(key, lines string)) {
	r.nodes = 1
	r.advance()
	if r.end || r.indent > 0 {
		r.fail()
		return
	}
	for !r.end && r.indent == 0 {
		start := r.start
		key, rest, ok := splitKey(r.line)
		if !ok {
			r.fail()
			return
		}
		r.skipValue(rest, 0, 0)
		end := len(r.text)
		if !r.end {
			end = r.start
		}
		each(key, r.text[start:end])
	}
	if !r.end {
		r.fail()
	}
}

func (r *reader) skipMapping(indent, depth int) {
	for !r.end && r.indent == indent {
		if r.skipCommon() {
			continue
		}
		_, rest, ok := splitKey(r.line)
		if !ok {
			r.fail()
			return
		}
		r.skipValue(rest, indent, depth)
	}
	if !r.end && r.indent > indent {
		r.fail()
	}
}

// skipCommon skips an entry that half of the lines of a CRD are. It is false for any
// other, and for one whose value goes on in the next line.
func (r *reader) skipCommon() bool {
	switch r.line {
	case "type: string", "type: object", "type: array", "type: integer", "type: boolean", "format: int32", "format: int64",
		"x-kubernetes-list-type: atomic", "x-kubernetes-map-type: atomic", "x-kubernetes-int-or-string: true", `default: ""`:
	default:
		return false
	}
	start, next, indent, line := r.start, r.next, r.indent, r.line
	if r.advance(); !r.end && r.indent > indent {
		r.start, r.next, r.indent, r.line = start, next, indent, line
		return false
	}
	r.nodes += 2
	return true
}

// skipValue skips the value of a key, of which rest follows the colon.
func (r *reader) skipValue(rest string, indent, depth int) {
	r.nodes += 2
	if rest != "" && rest[0] != '#' {
		r.skipInline(rest, indent)
		return
	}
	r.advance()
	switch {
	case r.end || r.indent < indent || r.indent == indent && !isDash(r.line):
	case r.indent == indent:
		r.skipSequence(indent, depth+1)
	default:
		r.skipBlock(indent, depth+1)
	}
}

func (r *reader) skipBlock(outer, depth int) {
	if depth > maxDepth {
		r.fail()
		return
	}
	switch c := r.line[0]; {
	case isDash(r.line):
		r.skipSequence(r.indent, depth)
	case c == '{' || c == '[':
		r.skipInline(r.line, outer)
	default:
		r.skipMapping(r.indent, depth)
	}
}

func (r *reader) skipSequence(indent, depth int) {
	if depth > maxDepth {
		r.fail()
	}
	for !r.end && r.indent == indent && isDash(r.line) {
		r.nodes++
		rest := skipSpaces(r.line[1:])
		if rest == "" || rest[0] == '#' {
			r.advance()
			if !r.end && r.indent > indent {
				r.skipBlock(indent, depth+1)
			}
			continue
		}
		if _, _, mapped := splitKey(rest); mapped || isDash(rest) {
			r.indent += len(r.line) - len(rest)
			r.line = rest
			r.skipBlock(indent, depth+1)
		} else {
			r.skipInline(rest, indent)
		}
	}
	if !r.end && r.indent > indent {
		r.fail()
	}
}

func (r *reader) skipInline(s string, indent int) {
	switch s[0] {
	case '|', '>':
		r.skipBlockScalar(s, indent)
		return
	case '"', '\'':
		if rest, ok := r.skipQuoted(s, indent); !ok || !ends(rest) {
			r.fail()
			return
		}
	case '{', '[':
		if s != "{}" && s != "[]" {
			r.skipFlow(s, indent)
			return
		}
	default:
		r.skipPlain(s, indent)
		return
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail()
	}
}

// skipQuoted skips what quoted and quotedLines read. It is false where neither does.
func (r *reader) skipQuoted(s string, indent int) (rest string, ok bool) {
	quote := s[0]
	rest, closed, ok := closing(s[1:], quote)
	for ok && !closed && r.next < len(r.text) {
		spaces := leadingSpaces(r.text[r.next:])
		line, after := r.lineAt(r.next + spaces)
		if r.next = after; line == "" {
			continue
		}
		if spaces <= indent || r.hasTab(line) {
			return "", false
		}
		rest, closed, ok = closing(trimSpaces(line), quote)
	}
	return rest, ok && closed
}

// closing returns what follows the closing quote on a line, as appendQuoted does.
func closing(s string, quote byte) (rest string, closed, ok bool) {
	for {
		i := strings.IndexByte(s, quote)
		inside := s
		if i >= 0 {
			inside = s[:i]
		}
		if quote == '"' {
			if j := strings.IndexByte(inside, '\\'); j >= 0 {
				if j+1 == len(s) || strings.IndexByte(`nt"\`, s[j+1]) < 0 {
					return "", false, false
				}
				s = s[j+2:]
				continue
			}
		}
		switch {
		case i < 0:
			return "", false, true
		case quote == '\'' && i+1 < len(s) && s[i+1] == quote:
			s = s[i+2:]
		default:
			return s[i+1:], true, true
		}
	}
}

// maxSkippedFlow is how long brackets are that are skipped: they are decoded for it.
const maxSkippedFlow = 2048

func (r *reader) skipFlow(s string, indent int) {
	if len(s) > maxSkippedFlow {
		r.fail()
		return
	}
	r.nodes += lookAt(s).cost.nodes - 1 // one of them is counted as a value
	r.inline(s, indent)
}

func (r *reader) skipPlain(s string, indent int) {
	text, commented := cutComment(s)
	if !startsPlain(s) || hasKey(text) {
		r.fail()
		return
	}
	next := r.next
	if r.advance(); r.end || r.indent <= indent {
		if !r.readable(text) {
			r.fail()
		}
		return
	}
	if commented {
		r.fail()
		return
	}
	// It goes on, unless there is a comment in between.
	r.next = next
	if mayBeTyped(text[0]) {
		if !r.readable(r.plainLines(text, indent)) {
			r.fail()
		}
	} else {
		r.skipPlainLines(indent)
	}
	r.advance()
	if !r.end && r.indent > indent {
		r.fail()
	}
}

// skipPlainLines goes over the lines that plainLines would read.
func (r *reader) skipPlainLines(indent int) {
	for r.next < len(r.text) {
		spaces := leadingSpaces(r.text[r.next:])
		line, after := r.lineAt(r.next + spaces)
		if line == "" {
			r.next = after
			continue
		}
		if spaces <= indent || line[0] == '#' {
			return
		}
		text, commented := cutComment(trimSpaces(line))
		if r.hasTab(line) || hasKey(text) {
			r.fail()
			return
		}
		if r.next = after; commented {
			return
		}
	}
}

// readable reports whether there is a value for a scalar without quotes.
func (r *reader) readable(s string) bool {
	if !Typed(s) {
		return true
	}
	switch s {
	case "true", "false", "null", "~":
		return true
	}
	_, ok := r.number(s)
	return ok
}

func (r *reader) skipBlockScalar(header string, indent int) {
	_, _, given, ok := blockHeader(header)
	inner := indent + given
	if ok && given == 0 {
		inner, ok = r.blockIndent(indent)
	}
	if !ok {
		r.fail()
		return
	}
	empty := true
	for r.next < len(r.text) {
		line, after := r.lineAt(r.next)
		if spaces := leadingSpaces(line); spaces < len(line) || spaces > inner {
			if spaces < inner {
				break
			}
			empty = false
		}
		r.next = after
	}
	r.advance()
	if empty || !r.end && r.indent > indent {
		r.fail()
	}
}
