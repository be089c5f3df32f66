package yamlread

import (
	"slices"
	"unicode/utf8"
)

// Outline is a document that was looked through and is not decoded yet. It is safe
// for concurrent use.
type Outline struct {
	text string
	tabs bool
	keys []string
	// entries are the lines of the keys, empty where the document has none.
	entries []string
	cost    cost
}

// OutlineOf looks through a document that is a simple mapping, and notes where it has
// the keys. What it takes of memory does not depend on the document. It is false for
// other documents, which may be good YAML or not.
func OutlineOf(text string, keys ...string) (*Outline, bool) {
	special, tabs := specialCharacters(text)
	if special {
		return nil, false
	}
	o := &Outline{text: text, tabs: tabs, keys: keys, entries: make([]string, len(keys))}
	r := reader{text: text, tabs: tabs, integers: true}
	r.skipDocument(func(key, lines string) {
		if i := slices.Index(keys, key); i >= 0 {
			o.entries[i] = lines
		}
	})
	o.cost = cost{nodes: r.nodes, bytes: int64(len(text))}
	return o, !r.failed
}

// Charge charges what [Outline.Object] takes, which is to be done before it is called.
func (o *Outline) Charge(account Account) error { return account.Charge(o.cost.kept()) }

// Object decodes the document as [Decoder.Object] does. It cannot fail.
func (o *Outline) Object() map[string]any { return o.decode(o.text) }

// Keys decodes the document without all but the keys that OutlineOf was given.
func (o *Outline) Keys() map[string]any {
	m := make(map[string]any, len(o.keys))
	for i, key := range o.keys {
		if value, ok := o.decode(o.entries[i])[key]; ok {
			m[key] = value
		}
	}
	return m
}

func (o *Outline) decode(text string) map[string]any {
	r := reader{text: text, tabs: o.tabs, integers: true}
	m, _ := r.document()
	return m
}

// specialCharacters reports whether a text has characters that YAML treats in a
// special way wherever they stand, and whether it has tabs.
func specialCharacters(text string) (special, tabs bool) {
	for {
		text = text[commonCharacters(text):]
		switch {
		case text == "":
			return false, tabs
		case text[0] == '\t':
			tabs = true
			text = text[1:]
		default:
			r, n := utf8.DecodeRuneInString(text)
			if r < ' ' && r != '\n' || r >= 0x7f && specialRune(r) {
				return true, tabs
			}
			text = text[n:]
		}
	}
}

// commonCharacters returns how many bytes at the beginning of the text, by eights, are
// those of lines of ASCII.
func commonCharacters(text string) int {
	const upper = 0x80 * everyByte
	n := 0
	for ; len(text)-n >= 8; n += 8 {
		eight := eightBytes(text[n:])
		if eight == ' '*everyByte { // indentation, which is most of a deep text
			continue
		}
		low, breaks := eight&^upper, eight^'\n'*everyByte
		// The upper bit of a byte is set in visible for one from the space on, in beyond
		// for DEL and all that is not ASCII, in other for all but the line's end.
		visible, beyond, other := low+0x60*everyByte, eight|(low+everyByte), (breaks&^upper+0x7f*everyByte)|breaks
		if (beyond|^visible&other)&upper != 0 {
			break
		}
	}
	return n
}
