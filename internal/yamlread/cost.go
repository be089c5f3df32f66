package yamlread

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	yamlv2 "sigs.k8s.io/yaml/goyaml.v2"
)

// cost bounds from above what a text costs to decode.
type cost struct {
	nodes int64 // keys, values, items and runs of comments
	bytes int64 // of its JSON
}

// What sigs.k8s.io/yaml was measured to take: the tree of the parser, the values
// of both decoders and the JSON between them.
const (
	peakNode, keptNode = 256, 96
	peakByte, keptByte = 8, 1
)

func (c cost) peak() int64 { return peakNode*c.nodes + peakByte*c.bytes }
func (c cost) kept() int64 { return keptNode*c.nodes + keptByte*c.bytes }

// look is what one pass over a text finds.
type look struct {
	cost cost
	// special is whether there are characters that YAML treats in a special way
	// wherever they stand, and tabs whether there are tabs.
	special, tabs bool
	// aliases is whether there may be aliases.
	aliases bool
}

// watched marks the characters that lookAt looks at: most it passes over.
var watched = func() (table [256]bool) {
	for _, char := range []byte(":?,{[-#\\<>&*!%") {
		table[char] = true
	}
	for char := range table {
		if char < ' ' || char >= 0x7f {
			table[char] = true
		}
	}
	return table
}()

// lookAt bounds what a text costs without its aliases, by its characters: a node
// stands behind one of those that begin one, whatever else is there.
func lookAt[T string | []byte](text T) look {
	l := look{cost: cost{nodes: 1, bytes: int64(len(text))}}
	c := &l.cost
	checked := 0 // up to which characters of several bytes are known
	var anchor, star, binary bool
	for i := 0; i < len(text); i++ {
		char := text[i]
		if !watched[char] {
			continue
		}
		switch char {
		case '\n': // and the indentation of the next line, which is a large part of most texts
			const eight = "        "
			for len(text)-i > len(eight) && string(text[i+1:i+1+len(eight)]) == eight {
				i += len(eight)
			}
		case ':', '?', ',', '{': // a key and a value
			c.nodes += 2
		case '[':
			c.nodes++
		case '-':
			if i+1 == len(text) || text[i+1] <= ' ' || text[i+1] >= 0x80 {
				c.nodes++
			}
		case '#':
			if i == 0 || text[i-1] != '#' {
				c.nodes++
			}
		case '\\', '<', '>', '&': // \0 is \u0000 in JSON
			c.bytes += 5
			anchor = anchor || char == '&'
		case '*':
			star = true
		case '!', '%':
			binary = binary || mayBeBinary(text[i:])
		case '\t':
			l.tabs = true
		default:
			if char == 0xA8 || char == 0xA9 { // the end of a line separator, perhaps
				c.bytes += 3
			}
			if char < utf8.RuneSelf {
				l.special = true
			} else if i >= checked && !l.special {
				r, n := utf8.DecodeRuneInString(string(text[i:min(i+utf8.UTFMax, len(text))]))
				l.special = specialRune(r)
				checked = i + n
			}
		}
	}
	if binary {
		c.bytes *= 5 // three bytes that are not UTF-8 take 18 in JSON, and four in base64
	}
	l.aliases = anchor && star
	return l
}

// specialRune reports whether YAML treats a character beyond ASCII in a special way
// wherever it stands, or not as one: utf8.RuneError is among these.
func specialRune(r rune) bool {
	return r < 0xA0 || r == 0x2028 || r == 0x2029 || r == 0xFEFF || r >= 0xFFFD && r < 0x10000
}

// mayBeBinary reports whether a text may begin with a tag that makes base64 of one, or
// with what gives such a tag another name.
func mayBeBinary[T string | []byte](text T) bool {
	head := string(text[:min(4, len(text))])
	return strings.HasPrefix(head, "!!b") || strings.HasPrefix(head, "!!%") || strings.HasPrefix(head, "!<") || head == "%TAG"
}

// mayNest is false for a text that cannot nest deeper than depth: each level
// takes a bracket, or more indentation than the one around it.
func mayNest[T string | []byte](text T, depth int) bool {
	brackets, indent, most, start := 0, 0, 0, true
	for i := range len(text) {
		switch text[i] {
		case '[', '{':
			brackets++
			start = false
		case '\n', '\r', 0x85, 0xA8, 0xA9: // the last three end other line breaks
			indent, start = 0, true
		case ' ', '-', '?', ':', 0:
			if start {
				indent++
				most = max(most, indent)
			}
		default:
			start = false
		}
	}
	return brackets+2*most+2 > depth
}

// expandFirst charges for what the aliases of the first document expand to.
func (d Decoder) expandFirst(account Account, c *cost, text []byte) error {
	expanded, err := expand(text, false)
	if err != nil {
		// The parser of this package is a newer one. The decoder's own bounds how
		// many nodes aliases expand to, and shares their texts.
		var v any
		if err := yamlv2.Unmarshal(text, &v); err != nil {
			return nil // which is the error to return
		}
		expanded = sizeOfValue(v)
	}
	return d.settle(account, c, expanded)
}

// settle charges what aliases expand to over what was charged for the text.
func (d Decoder) settle(account Account, c *cost, expanded Size) error {
	if expanded.Depth > int64(d.depth()) {
		return d.tooDeep()
	}
	full := cost{nodes: max(c.nodes, expanded.Nodes), bytes: max(c.bytes, expanded.Bytes)}
	if err := account.Charge(full.peak() - c.peak()); err != nil {
		return err
	}
	*c = full
	return nil
}

// expand measures the documents of a text, or only the first.
func expand(text []byte, all bool) (Size, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	sum := Size{}
	for {
		var document yaml.Node
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return sum, nil
		} else if err != nil {
			return sum, err
		}
		size := SizeOf(&document)
		sum = sum.plus(size)
		if !all {
			return sum, nil
		}
	}
}

// Size is what a YAML node comes to with its aliases expanded. Its numbers stay
// below 1<<50, which stands for more and for a node that contains itself.
type Size struct {
	Nodes int64
	Bytes int64 // of keys and scalars as JSON
	Depth int64
	// Squares is the sum of the squares of the numbers of keys of all mappings.
	Squares int64
	// Items is the number of items of all lists, Longest that of the longest one.
	Items, Longest int64
}

const endless = 1 << 50

func (s Size) plus(other Size) Size {
	s.Nodes = min(s.Nodes+other.Nodes, endless)
	s.Bytes = min(s.Bytes+other.Bytes, endless)
	s.Squares = min(s.Squares+other.Squares, endless)
	s.Items = min(s.Items+other.Items, endless)
	s.Longest = max(s.Longest, other.Longest)
	s.Depth = max(s.Depth, other.Depth)
	return s
}

// SizeOf measures a node. It takes time for each node of the text once, however
// often aliases refer to it.
func SizeOf(n *yaml.Node) Size {
	m := measuring{known: map[*yaml.Node]Size{}}
	return m.size(n)
}

// SizesByKey is SizeOf, and calls each with the key and the size of each value in
// a mapping, at any depth.
func SizesByKey(n *yaml.Node, each func(key string, size Size)) Size {
	m := measuring{known: map[*yaml.Node]Size{}, each: each}
	return m.size(n)
}

type measuring struct {
	known map[*yaml.Node]Size // of nodes with an anchor; endless while they are open
	each  func(key string, size Size)
}

func (m measuring) size(n *yaml.Node) Size {
	switch {
	case n == nil:
		return Size{}
	case n.Kind == yaml.AliasNode:
		return m.known[n.Alias] // which the anchor stands before
	}
	if n.Anchor != "" {
		m.known[n] = Size{endless, endless, endless, endless, endless, endless}
	}
	size := Size{Nodes: 1, Bytes: jsonLen(n.Value) + 24} // quotes, a comma, or a number in full
	if n.Kind == yaml.MappingNode {
		keys := int64(len(n.Content) / 2)
		size.Squares = keys * keys
	}
	if n.Kind == yaml.SequenceNode {
		size.Items, size.Longest = int64(len(n.Content)), int64(len(n.Content))
	}
	for i, child := range n.Content {
		below := m.size(child)
		if m.each != nil && n.Kind == yaml.MappingNode && i%2 == 1 {
			m.each(n.Content[i-1].Value, below)
		}
		if n.Kind != yaml.DocumentNode {
			below.Depth = min(below.Depth+1, endless)
		}
		size = size.plus(below)
	}
	if n.Anchor != "" {
		m.known[n] = size
	}
	return size
}

// sizeOfValue measures a decoded value, in which aliases are expanded.
func sizeOfValue(v any) Size {
	size := Size{Nodes: 1, Bytes: 24}
	nested := func(item any) {
		below := sizeOfValue(item)
		below.Depth++
		size = size.plus(below)
	}
	switch v := v.(type) {
	case string:
		size.Bytes += jsonLen(v)
	case []any:
		for _, item := range v {
			nested(item)
		}
	case map[any]any:
		for key, item := range v {
			nested(key)
			nested(item)
		}
	}
	return size
}

// jsonLen bounds the length of a text in JSON.
func jsonLen(text string) int64 {
	n := int64(len(text))
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '<' || c == '>' || c == '&' || c == 0xA8 || c == 0xA9 {
			n += 5
		} else if c == '"' || c == '\\' {
			n++
		}
	}
	return n
}
