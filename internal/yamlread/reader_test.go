package yamlread

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"
)

// whole is the oracle.
func whole(text string, numbers Numbers) (map[string]any, error) {
	var m map[string]any
	if numbers == Floats {
		err := yaml.Unmarshal([]byte(text), &m)
		return m, err
	}
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	err = json.Unmarshal(data, &m)
	return m, err
}

// agrees holds what was read against the oracle, and says whether anything was.
func agrees(t *testing.T, text string) bool {
	t.Helper()
	simple := false
	for _, numbers := range []Numbers{Floats, Integers} {
		got, ok := Mapping(text, numbers)
		if !ok {
			continue
		}
		simple = true
		want, err := whole(text, numbers)
		if err != nil {
			t.Errorf("%q is read as %v, but: %v", text, got, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: (-whole +simple)\n%s", text, diff)
		}
	}
	return simple
}

// Common texts are read without the library.
func TestSimpleTexts(t *testing.T) {
	for _, text := range simpleTexts {
		if !agrees(t, text) {
			t.Errorf("not simple: %q", text)
		}
	}
}

var simpleTexts = []string{
	"a: b", "a: b\n", "\n# c\na: b # d\n\n", "a: 1\nb: -2\nc: 1.5\nd: 1.0\ne: 0\nf: 0.10\ng: 123456789012345",
	"a: true\nb: false\nc: null\nd: ~\ne:\nf: # c\n", "a: \"b\"\nc: 'd'\ne: \"f\\n\\\"\\\\\\t\"\ng: 'it''s' # c\n\"h\": 1\n'i j': 2\n\"k\" : 3",
	"a:\n  b:\n    c: d\n  e: f\ng: h", "a:\n- b\n- c: d\n  e: f\n-\n  g: h\n- - i\n  - j\n-\nk: l", "a:\n  - b\n  -   c: d\n      e: f\n",
	"a: {}\nb: [] # c\nc: [] ", "a: |\n  b\n   c\n\n  d\n\ne: f", "a: |-\n  b\n", "a: |+\n  b\n\n\nc: d", "a: |\n  b", "a: |+\n  b\n\n", "a: |-\n\n  b\n  \n   \n",
	"a:\n- |\n  x\n- |-\n  y\n", "a: |\n  #!/bin/sh\n  echo: \"x\"\t# y\n  ---\nb: c", "a: |\n  - x\n # comment\nb: c",
	"apiVersion: v1\nkind: Service\nmetadata:\n  name: a-b\n  labels:\n    helm.sh/chart: web-0.1.0\n    app.kubernetes.io/version: \"1.16.0\"\nspec:\n  ports:\n    - port: 80\n      targetPort: http\n",
	"a: 1.2.3\nb: 10.0.0.0/8\nc: 100m\nd: v1\ne: http://x:80/y\nf: a:b\ng: -x\nh: --y=z\ni: x y  z\nj: é 日本\nk: a#b\nl: 1Gi",
	"a: [b, 'c', \"d\", 1, true, [e], {f: g}]\nb: {c: d, \"e\": 'f', g: [h], i: {}} # j\nc: [ d , e ]\nf: { g: h }", "a:\n- [b, c]\n- {d: e}",
	"a b: c\nd.e/f: g\nh-: i\n?x: z", "a: [] \n",
	// Scalars of several lines.
	"a: b\n  c", "a: b  c  \n   d \n e # f\n\n# g\nh: i", "a: b\n\n\n c\n\nd: e", "a:\n- c: d\n  e: f\n   g\n- h\n  i", "a: b #c\nd: e#\n #f\ng: h", "a: b\n - c\n ? d\n [e]\n 'f'",
	"a: 1\n 2", "a: true\n false", "a:\n- - b\n   c\n  - d",
	"a: 'b\n  c'\nd: \"e\n\n f \\\"g\\n\n   \"\nh: '\n i'\nj: 'it''s\n  # k: l''m' # n\no: p", "a:\n- \"b:\n  - c\"\n- 'd: e\n  f'", "a: '\n\n '", "a: \"b\n c: d\"",
	"a: >\n  b\n  c\n\n  d\n\n\n  e\n   f\n    g\n\n   h\n  i\n\n", "a: >-\n  b\n  c\n\nd: >+\n  e\n\n\nf: g", "a: >\n\n\n  b\n  \tc\n  d", "a: >-\n  b\n   \n  c", "a: >\n   b\n  \n   c\n # d\ne: f",
	"a: |2\n    b\n  c\nd: |-1\n   e\nf: >2-\n    g\n  h", "a:\n- |1\n  b\n", "a:\n  {}\nb:\n  [c, d] # e\nf:\n- g:\n    {}\n",
	// Of a key that stands there twice, the last one counts.
	"a: b\na: c", "a: b\na:", "a: {b: c}\na:\n- d", "a:\n  b: {c: d, c: [e]}\n  b: f", "a: [{b: c, b: d}]",
	"a: 123456789012345678\nb: 9223372036854775807\nc: -9223372036854775808", "a: [\"b\",'c',d,e , {f: g,h: i}]",
}

// What is left to the library stays with it; nothing of it may be read as
// something else.
func TestTextsThatAreNotSimple(t *testing.T) {
	for _, text := range notSimpleTexts {
		agrees(t, text)
	}
}

var notSimpleTexts = []string{
	"", "# c", "a", "- a", "1: a", "yes: a", "a: yes", "a: 0x1f", "a: 017", "a: 1e3", "a: .5", "a: 2024-01-01", "a: 1_000", "a: -0",
	"a: &x b\nc: *x", "a: !!str 1", "<<: {a: b}", "? a\n: b", "a: [b c]", "a: [b,c]", "a: [b: c]", "a: [b,]", "a: {b}", "a: {b: c", "a: [b\n]", "a: {b:c}", "a: [*b]", "a: [b]c", "a: {1: b}", "a: [-]", "a: {b: }", "a: [b]: c", "a: [b #c]", "[a]: b", "a: >\n  b", "a: |2\n   b", "a: b\n  c", "a:\n  b\n  c", "a: 'b\n  c'", "a: \"\\x41\"", "a: \"\\/\"",
	"a: b: c", "a: b:", "a: b\n  c: d", "a: b\n  c:\n", "a: b # c\n  d", "a: b\n # c\n d", "a: b\n\tc", "a: 2001-12-14\n 21:59:43", "a: 'b\nc'", "a: \"b\\\n c\"", "a: 'b\n c' d", "a: 'b\n c'\n d", "a: 'b", "a: \"b\n---\nc\"", "a: b\n--- c", "a: >\n\nb: c", "a: >0\n b", "a: |11\n b", "a: |3\n  b", "a: >\n b\n\tc", "a:\n {}\n b: c", "a:\n [b,\n c]", "a:\n  b\n", "a: [b,,c]", "a: [,b]", "a: 9223372036854775808", "a: 00123", "a:\tb", "\ta: b", "a: b\r\n", "a: b\n--- \nc: d", "a: b\n...\n", "a: @b", "a: `b", "a: %b", "a: *", "a: 'b' c", "a: \"b\"c", "a: {}c", "a: - b", "a: |\n", "a: |\n b\n  c\n d\n", "a: |\n    \n  b",
	"a:\n  - b\n c: d", "a:\n  b: c\n d: e", "- a: b\n c: d", "a: |x\n  b", "a: \x00", "a: \u0085", "a: \ufeff", "a: b\x7f", "a: \xff", strings.Repeat("a", 2000) + ": b", "a:\n - b\n  - c", "a: |\n\tb", "a:\n- b\nc\n",
	"a: 18446744073709551615", "a: 1.7976931348623157e309", "a: 99999999999999999.5", "=: a", "null: a", "'a': b'", "a: 'b'#c",
}

func FuzzMapping(f *testing.F) {
	for _, text := range simpleTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 4096 {
			agrees(t, text)
		}
	})
}

// A block scalar is allocated once, whatever its length, and what is cut off at
// its end is not kept.
func TestBlockScalarIsAllocatedOnce(t *testing.T) {
	long := "a: |-\n" + strings.Repeat("  a line of the text\n", 5000)
	allocations := func(text string) float64 {
		return testing.AllocsPerRun(10, func() {
			if _, err := (Decoder{}).Object(text); err != nil {
				t.Fatal(err)
			}
		})
	}
	if short := allocations("a: |-\n  a line\n"); allocations(long) > short {
		t.Errorf("%v allocations, and %v of one line", allocations(long), short)
	}
}
