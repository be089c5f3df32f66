// Package shape draws variants of a text, for tests that let histories of
// objects happen at random. The same source of random numbers draws the same.
package shape

import (
	"math/rand/v2"
	"strings"
)

// Draw makes one variant of text. In place of {a|b|c} stands one of a, b and
// c; a line that ends in "#?" is left out in one of three variants, and with
// it what is below it by its indentation.
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
