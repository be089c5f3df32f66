package fetch

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIndexEntries(t *testing.T) {
	want := []indexEntry{{Version: "1.0.0", URLs: []string{"shop-1.0.0.tgz"}, Digest: "abc"}, {Version: "0.9.0", URLs: []string{"x"}}}
	const items = "  - version: 1.0.0\n    description: |\n      shop:\n      - x\n    digest: abc\n    urls:\n    - shop-1.0.0.tgz\n  - version: 0.9.0\n    urls: [x]\n"
	for name, text := range map[string]string{
		"as Helm writes it": "apiVersion: v1\nentries:\n  cart:\n  - version: 3.0.0\n  shop:\n" + items + "  zoo:\n  - version: 2.0.0\ngenerated: now\n",
		"last":              "entries:\n  cart:\n  - version: 3.0.0\n  shop:\n" + items,
		"indented more":     "entries:\n    shop:\n      - {version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}\n      - {version: 0.9.0, urls: [x]}\n    zoo: \n      - version: 1\n",
		"quoted":            "entries:\n  \"cart\":\n  - version: 3.0.0\n  'shop':\n" + items,
		"anchors elsewhere": "x: &u [x]\nentries:\n  shop:\n  - {version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}\n  - {version: 0.9.0, urls: *u}\n",
		"flow":              "entries: {shop: [{version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}, {version: 0.9.0, urls: [x]}]}\n",
		"flow inside":       "entries:\n  shop: [{version: 1.0.0, digest: abc, urls: [shop-1.0.0.tgz]}, {version: 0.9.0, urls: [x]}]\n",
		"JSON":              `{"apiVersion":"v1","other":{"shop":[1]},"entries":{"cart":[],"shop":[{"version":"1.0.0","digest":"abc","urls":["shop-1.0.0.tgz"]},{"version":"0.9.0","urls":["x"]}]}}`,
		"comments":          "# index\n---\nentries: \n  # ours\n  shop:\n# here\n" + items,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := indexEntries([]byte(text), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if _, err := indexEntries([]byte(text), "shap"); !errors.Is(err, ErrNoChart) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, text := range []string{"", "[]", "{", "entries: 1", "entries:\n  shop: 1\n", "{\"entries\": []}", "a: [", "entries:\n  shop:\n  - version: [\n"} {
		if got, err := indexEntries([]byte(text), "shop"); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// A large index takes about as much memory as it is long.
func TestLargeIndex(t *testing.T) {
	var yaml, json bytes.Buffer
	yaml.WriteString("apiVersion: v1\nentries:\n")
	json.WriteString(`{"entries":{`)
	for i := 0; yaml.Len() < 18<<20; i++ {
		fmt.Fprintf(&yaml, "  chart%d:\n", i)
		fmt.Fprintf(&json, `"chart%d":[{"version":"1.0.0"}`, i)
		for v := range 20 {
			fmt.Fprintf(&yaml, "  - apiVersion: v2\n    created: \"2024-01-01T00:00:00Z\"\n    description: A chart\n    digest: 0123456789\n    keywords: [a, b, c]\n    name: chart%d\n    urls:\n    - chart%d-%d.tgz\n    version: %d.0.0\n", i, i, v, v)
			fmt.Fprintf(&json, `,{"version":"%d.0.0","urls":["chart%d-%d.tgz"],"keywords":["a","b"]}`, v, i, v)
		}
		json.WriteString("],")
	}
	json.WriteString(`"z":[]}}`)
	for name, data := range map[string][]byte{"YAML": yaml.Bytes(), "JSON": json.Bytes()} {
		runtime.GC()
		before := allocated()
		begin := time.Now()
		entries, err := indexEntries(data, "chart1000")
		if err != nil || len(entries) < 20 {
			t.Fatalf("%s: %d entries, %v", name, len(entries), err)
		}
		if most := uint64(4 * len(data)); allocated()-before > most {
			t.Errorf("%s: %d MiB were allocated for an index of %d MiB", name, (allocated()-before)>>20, len(data)>>20)
		}
		t.Logf("%s: %d MiB in %s", name, len(data)>>20, time.Since(begin))
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
