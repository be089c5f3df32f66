package engine

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// Documents are those that apimachinery's reader finds, but for separators at
// their beginning.
func TestSplitAsTheReaderDoes(t *testing.T) {
	lines := []string{"---\n", "--- \n", "---\r\n", "--- # a comment\n", " ---\n", "\n", "a: 1\n", "# Source: x\n", "b: |\n"}
	ends := []string{"", "---", "c: 2"}
	g := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var text string
		for range g.IntN(8) {
			text += lines[g.IntN(len(lines))]
		}
		text += ends[g.IntN(len(ends))]
		var want []string
		reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
		for {
			doc, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			text := string(doc)
			for strings.HasPrefix(text, "---") { // which it leaves where nothing is before it
				_, text, _ = strings.Cut(text, "\n")
			}
			if text != "" {
				want = append(want, text)
			}
		}
		if got := slices.Collect(split(text)); !slices.Equal(got, want) {
			t.Fatalf("%q became %q, want %q", text, got, want)
		}
	}
}
