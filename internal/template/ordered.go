package template

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// ownFunctions replace functions of sprig whose result is in no order, or whose
// time is out of proportion.
func ownFunctions() map[string]impl {
	trim := func(_ *Run, a []value) (value, error) { return concrete(trimAll(textOf(a[1]), textOf(a[0]))), nil }
	return map[string]impl{
		// Helm's order is any: this is one of them, and always the same.
		"keys": func(_ *Run, a []value) (value, error) {
			keys := []string{}
			for i := range a {
				keys = append(keys, slices.Sorted(maps.Keys(take[map[string]any](a[i])))...)
			}
			return concrete(keys), nil
		},
		"values": func(_ *Run, a []value) (value, error) {
			m := take[map[string]any](a[0])
			list := make([]any, 0, len(m))
			for _, k := range slices.Sorted(maps.Keys(m)) {
				list = append(list, m[k])
			}
			return concrete(list), nil
		},
		"trimAll": trim,
		"trimall": trim,
	}
}

// trimAll is strings.Trim in time proportional to the text and the cutset, of
// which that takes the product.
func trimAll(s, cutset string) string {
	if len(cutset) <= 64 {
		return strings.Trim(s, cutset)
	}
	var cut runeSet
	for _, c := range cutset {
		cut[c/64] |= 1 << (c % 64)
	}
	for s != "" {
		c, size := utf8.DecodeRuneInString(s)
		if !cut.has(c) {
			break
		}
		s = s[size:]
	}
	for s != "" {
		c, size := utf8.DecodeLastRuneInString(s)
		if !cut.has(c) {
			break
		}
		s = s[:len(s)-size]
	}
	return s
}

// runeSet is a set of characters, a bit each.
type runeSet [utf8.MaxRune/64 + 1]uint64

func (s *runeSet) has(c rune) bool { return s[c/64]>>(c%64)&1 == 1 }
