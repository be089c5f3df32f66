// Package shape generates random variants of a text, for tests with random
// histories of objects. The same random source generates the same variants.
package shape

import (
	"math/rand/v2"
	"strings"
)

// Draw returns one variant of text. {a|b|c} is replaced by one of a, b and c; a
// line that ends in "#?" is omitted in one of three variants, together with the
// lines that are indented below it.
func Draw(g *rand.Rand, text string) string {
	var out strings.Builder
	gone, goneItem := -1, false
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		indent := len(line) - len(strings.TrimLeft(line, " "))
		item := strings.HasPrefix(line[indent:], "- ")
		if gone >= 0 && (indent > gone || indent == gone && item && !goneItem) {
			continue
		}
		gone = -1
		if rest, ok := strings.CutSuffix(line, "#?"); ok {
			if g.IntN(3) == 0 {
				gone, goneItem = indent, item
				continue
			}
			line = rest
		}
		for {
			bar := strings.Index(line, "|")
			if bar < 0 {
				break
			}
			from := strings.LastIndex(line[:bar], "{")
			to := bar + strings.Index(line[bar:], "}")
			if from < 0 || to < bar {
				break // no alternatives, but a bar
			}
			words := strings.Split(line[from+1:to], "|")
			line = line[:from] + words[g.IntN(len(words))] + line[to+1:]
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}
