package chartfile

import (
	"hash/maphash"
	"strconv"
	"strings"
)

// SetCost is what applying a values expression takes at most.
type SetCost struct {
	Memory int64 // bytes
	Steps  int64 // of about 20 ns
	Depth  int   // of the values
}

const (
	// setRuneBytes is what a character takes: as a rune, in a key or value, and in
	// the JSON decoder.
	setRuneBytes = 16
	// setPartBytes is what a part of a path, or a value, takes: a map of its own.
	setPartBytes = 512
	setItemBytes = 16
	// maxSetIndex is the largest index that Helm takes.
	maxSetIndex = 65536
)

// CostOfSet reads an expression as Helm does, as far as its cost depends on that. An
// index makes a list as long as that, by copying the one before; each value in
// JSON is parsed from a copy of all that follows it; and lists of lists are
// followed by recursion.
func CostOfSet(kind SetKind, expr string) SetCost {
	if kind == SetLiteral {
		path, value, _ := strings.Cut(expr, "=")
		c := costOfPaths(Set, path)
		c.Memory += setRuneBytes * int64(len(value))
		return c
	}
	return costOfPaths(kind, expr)
}

func costOfPaths(kind SetKind, expr string) SetCost {
	c := SetCost{Memory: setRuneBytes * int64(len(expr)), Steps: int64(len(expr)), Depth: 1}
	longest := map[uint64]int{} // lists by their paths
	path, depth := true, 1
	var of maphash.Hash // the path up to here
	inJSON := jsonNesting{}
	for i := 0; i < len(expr); i++ {
		char := expr[i]
		switch {
		case !path && kind == SetJSON:
			inJSON.next(char)
			c.Depth = max(c.Depth, depth+inJSON.depth)
			if strings.IndexByte("{[,", char) >= 0 {
				c.Memory += setPartBytes
			}
			if char != ',' || inJSON.depth > 0 || inJSON.quoted {
				continue
			}
			path, depth = true, 1
			of.Reset()
			continue
		case char == '\\':
			i++
		case char == ',':
			c.Memory += setPartBytes
			path, depth = true, 1
			of.Reset()
			continue
		case !path:
		case char == '=':
			path, inJSON = false, jsonNesting{}
			if kind == SetJSON {
				c.Steps += int64(len(expr)-i) / 32
			}
		case char == '.':
			c.Memory += setPartBytes
			depth++
			c.Depth = max(c.Depth, depth)
		case char == '[':
			depth++
			c.Depth = max(c.Depth, depth)
			end := strings.IndexByte(expr[i:], ']')
			if end < 0 {
				continue
			}
			n, err := strconv.Atoi(expr[i+1 : i+end])
			if err != nil || n < 0 {
				continue
			}
			n = min(n, maxSetIndex) + 1
			list := of.Sum64()
			if before := longest[list]; n > before {
				longest[list] = n
				c.Memory += setPartBytes + setItemBytes*int64(n-before)
				c.Steps += int64(n) / 8
			}
		}
		if path {
			of.WriteByte(char)
		}
	}
	return c
}

// jsonNesting follows the brackets of JSON.
type jsonNesting struct {
	depth           int
	quoted, escaped bool
}

func (n *jsonNesting) next(char byte) {
	switch {
	case n.escaped:
		n.escaped = false
	case n.quoted && char == '\\':
		n.escaped = true
	case char == '"':
		n.quoted = !n.quoted
	case n.quoted:
	case char == '[' || char == '{':
		n.depth++
	case char == ']' || char == '}':
		n.depth--
	}
}
