package template

import "strings"

// decodesTOML is the cost of decoding TOML. The decoder notes the whole path of
// each key, and recurses into brackets.
func decodesTOML(r *Run, a []value) price {
	s := tomlScan{run: r, text: textOf(a[0])}
	if len(s.text) <= 64 {
		return price{}
	}
	s.scan()
	n := int64(len(s.text))
	// About half of it stays.
	r.charge(s.bytes / 2)
	return price{scratch: s.bytes/2 + 4*n, work: n/2 + s.bytes/64}
}

// tomlScan looks through TOML for what its keys cost.
type tomlScan struct {
	run  *Run
	text string

	bytes   int64
	table   keyPath   // of the last header
	outer   []keyPath // of the inline tables that are open
	current keyPath   // the keys above the one that is read
	key     keyPath   // the one that is read
	depth   int       // of brackets
}

// keyPath is what the keys of a path take.
type keyPath struct{ bytes, parts int64 }

func (p keyPath) plus(q keyPath) keyPath { return keyPath{p.bytes + q.bytes, p.parts + q.parts} }

func (s *tomlScan) scan() {
	header, start := false, true
	for i := 0; i < len(s.text); i++ {
		c := s.text[i]
		if start && c == '[' { // a header, until its line ends
			header, s.table, s.current = true, keyPath{}, keyPath{}
		}
		start = start && (c == ' ' || c == '\t' || c == '\n')
		switch c {
		case '"', '\'':
			end := skipTOMLText(s.text, i)
			s.key.bytes += int64(end - i)
			i = end
		case '#':
			if end := strings.IndexByte(s.text[i:], '\n'); end >= 0 {
				i += end - 1
			} else {
				i = len(s.text)
			}
		case '\n':
			if header {
				s.table = s.key.plus(keyPath{0, 1})
				s.noted(s.table)
			}
			header, s.key = false, keyPath{}
			if s.depth == 0 || len(s.outer) == 0 {
				start = true
			}
			if len(s.outer) == 0 {
				s.current = s.table
			}
		case '.':
			s.key.parts++
		case '=':
			s.key.parts++
			s.noted(s.current.plus(s.key))
		case ',':
			s.bytes += 48
			s.key = keyPath{}
		case '[', '{':
			s.open(c, header)
		case ']', '}':
			s.close(c)
		default:
			s.key.bytes++
		}
	}
}

// noted charges the parts of a key with its path: each of them in full.
func (s *tomlScan) noted(p keyPath) {
	if p.parts > int64(s.run.nesting) {
		s.run.tooDeep()
	}
	s.bytes += 1024 + times(2*p.parts-s.current.parts, p.bytes+64*p.parts)
	if most := s.run.limits.MemoryBytes; s.bytes > 2*most || s.bytes < 0 {
		s.run.breach("MemoryBytes", most)
	}
}

func (s *tomlScan) open(c byte, header bool) {
	s.bytes += 96
	if header {
		return
	}
	if s.depth++; s.depth > s.run.nesting {
		s.run.tooDeep()
	}
	if c == '{' {
		s.bytes += mapBytes + groupBytes
		s.outer = append(s.outer, s.current)
		s.current = s.current.plus(s.key)
		s.key = keyPath{}
	}
}

func (s *tomlScan) close(c byte) {
	s.depth = max(0, s.depth-1)
	if c == '}' && len(s.outer) > 0 {
		last := len(s.outer) - 1
		s.current, s.outer = s.outer[last], s.outer[:last]
	}
}

// skipTOMLText returns where the text ends whose first quote is at i.
func skipTOMLText(text string, i int) int {
	quote := text[i]
	if triple := strings.Repeat(string(quote), 3); strings.HasPrefix(text[i:], triple) {
		if end := strings.Index(text[i+3:], triple); end >= 0 {
			return i + 3 + end + 2
		}
		return len(text)
	}
	for i++; i < len(text) && text[i] != quote && text[i] != '\n'; i++ {
		if text[i] == '\\' && quote == '"' {
			i++
		}
	}
	return i
}
