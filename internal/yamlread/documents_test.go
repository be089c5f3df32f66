package yamlread

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/releaseutil"
)

// Documents are cut where Helm cuts them, and say where they stand.
func TestDocumentsAreHelms(t *testing.T) {
	pieces := []string{"---", "---", "\n", "\n", " ", "\t", "\r", "\f", "a", "--", "-", "# c", "...", "\v", "é"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := ""
		for range r.IntN(14) {
			text += pieces[r.IntN(len(pieces))]
		}
		var got []string
		for d := range Documents(text) {
			got = append(got, d.Text)
			if !strings.HasPrefix(text[d.Start:], d.Text) || d.Line != 1+strings.Count(text[:d.Start], "\n") {
				t.Fatalf("%q: %q is not at %d, line %d", text, d.Text, d.Start, d.Line)
			}
			if closed := d.Closed(text); closed != d.Text+"\n" {
				t.Fatalf("%q: %q closed is %q", text, d.Text, closed)
			}
		}
		cut := releaseutil.SplitManifests(text)
		keys := slices.SortedFunc(maps.Keys(cut), func(a, b string) int { // manifest-9 before manifest-10
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
		var want []string
		for _, key := range keys {
			want = append(want, cut[key])
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q: %q, Helm %q", text, got, want)
		}
	}
}
