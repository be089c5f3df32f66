package render

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/releaseutil"
)

// Documents are cut where Helm cuts them.
func TestSplitIsHelms(t *testing.T) {
	pieces := []string{"---", "---", "\n", "\n", " ", "\t", "\r", "\f", "a", "--", "-", "# c", "...", "\v", "é"}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		text := ""
		for range r.IntN(14) {
			text += pieces[r.IntN(len(pieces))]
		}
		var got []string
		for _, p := range split(text) {
			got = append(got, p.text)
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
