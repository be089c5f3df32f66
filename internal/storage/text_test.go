package storage

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// cutAnyhow is text in parts that end anywhere between two runes.
func cutAnyhow(g *rand.Rand, text string) Text {
	var parts []string
	runes := []rune(text)
	for len(runes) > 0 {
		n := g.IntN(len(runes) + 1)
		parts, runes = append(parts, string(runes[:n])), runes[n:]
	}
	return TextOf(parts...)
}

var texts = []string{
	"", "\n", "---", "---\n", "a: 1", "---\na: 1\n---\nb: 2\n", "---\n# Source: web/templates/a.yaml\na: 1\n---\n# Source: web/templates/b.yaml\nb: ü\n",
	"---\n# Source: x", "\n---\n---\n\n---", "a: |\n  ----\n  text\n----\nb\n", "---\n# Source: x\n---\n# Source: x\n", "# Source: x\na: \"<&>\\u2028\"\n",
	"---\n" + strings.Repeat("line: of many\n", 9000) + "---\n# Source: y\nlast: one",
}

func TestText(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	for _, text := range texts {
		for range 20 {
			a, b := cutAnyhow(g, text), cutAnyhow(g, text)
			var written bytes.Buffer
			if n, err := a.WriteTo(&written); err != nil || int(n) != len(text) || written.String() != text || a.String() != text || a.Len() != len(text) {
				t.Fatalf("%q became %q, %d bytes, %v", text, a, a.Len(), err)
			}
			if !a.Equal(b) || !a.SameDocuments(b) {
				t.Errorf("%q is not equal to %q", a.parts, b.parts)
			}
			if shared := a.Share(b); shared.String() != text {
				t.Errorf("%q, shared, became %q", text, shared)
			}
			var decoded string
			encoded, err := a.json()
			if err == nil {
				err = json.Unmarshal(encoded, &decoded)
			}
			if want, _ := json.Marshal(text); err != nil || decoded != text || !bytes.Equal(encoded, want) {
				t.Errorf("%q became %s, %v", text, encoded, err)
			}
			for _, inner := range []string{"", "a", "\n---\n", "a: 1", "Source: web/templates/b.yaml\nb: ü", text, text + "x"} {
				if a.anywhere(inner) != strings.Contains(text, inner) {
					t.Errorf("%q contains %q: %v", a.parts, inner, a.anywhere(inner))
				}
			}
			for _, prefix := range []string{"", "---\n# Source: x", "---\na", text, text + "x"} {
				if a.hasPrefix(prefix) != strings.HasPrefix(text, prefix) {
					t.Errorf("%q begins with %q: %v", a.parts, prefix, a.hasPrefix(prefix))
				}
			}
		}
	}
	for i, x := range texts {
		for j, y := range texts {
			a, b := cutAnyhow(g, x), cutAnyhow(g, y)
			if a.Equal(b) != (i == j) {
				t.Errorf("%q and %q are equal: %v", x, y, a.Equal(b))
			}
			if shared := a.Share(b); shared.String() != x {
				t.Errorf("%q, shared with %q, became %q", x, y, shared)
			}
		}
	}
}

func TestSameDocuments(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\n\n---\nb: 2\n\n", true},
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\n---\nb: 2", true},
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\n--- # comment\nb: 2\n", false},
		{"---\na: 1\n---\nb: 2\n", "\n--- \r\na: 1\n---\t\nb: 2", true},
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\n---\nb: 3\n", false},
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\n", false},
		{"---\na: 1\n", "---\na: 1\n---\nb: 2\n", false},
		{"---\na: 1\n---\nb: 2\n", "---\na: 1\nb: 2\n", false},
	} {
		if got := TextOf(c.a).SameDocuments(TextOf(c.b)); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

// What is the same in another manifest takes no memory of its own.
func TestShareSharesMemory(t *testing.T) {
	var parts []string
	for i := range 200 {
		parts = append(parts, "---\n# Source: web/templates/maps.yaml\n", fmt.Sprintf("name: %d\n%s", i, strings.Repeat("x", 2000)), "\n")
	}
	fresh := TextOf(parts...)
	old := TextOf(strings.Replace(fresh.String(), "name: 7\n", "name: 07\n", 1))
	shared := old.Share(fresh)
	if shared.String() != old.String() {
		t.Fatal("it is another text")
	}
	known := map[string]bool{}
	for _, p := range fresh.parts {
		known[p] = true
	}
	own := 0
	for _, p := range shared.parts {
		if !known[p] {
			own += len(p)
		}
	}
	if own > 2100 {
		t.Errorf("%d bytes are its own", own)
	}
}
