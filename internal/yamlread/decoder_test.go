package yamlread

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// hostile are texts that expand, or nest, beyond what a text may cost.
func hostile() map[string]string {
	long := strings.Repeat("x", 1_000_000)
	laughs := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 12 {
		laughs += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d,", i), 10))
	}
	merges := "m0: &m0 {" + strings.Repeat("k: v, ", 1) + "long: \"" + long + "\"}\nl:\n" + strings.Repeat("- {<<: *m0}\n", 3000)
	deep := "d0: &d0 x\n"
	for i := range 100 {
		deep += fmt.Sprintf("d%d: &d%d %s*d%d%s\n", i+1, i+1, strings.Repeat("[", 500), i, strings.Repeat("]", 500))
	}
	return map[string]string{
		"alias to a long text":   "a: &a \"" + long + "\"\nb: [" + strings.Repeat("*a,", 3000) + "]",
		"alias as a key":         "a: &a \"" + long[:1000] + "\"\nb: [" + strings.Repeat("{*a : 1},", 100_000) + "]",
		"merge keys":             merges,
		"billion laughs":         laughs,
		"anchor inside itself":   "a: &a [*a, *a]",
		"depth by aliases":       deep,
		"depth":                  "a: " + strings.Repeat("[", 9000) + strings.Repeat("]", 9000),
		"depth past the parser":  "a: " + strings.Repeat("[", 200_000),
		"block depth":            "a:\n  " + strings.Repeat("- ", 9000) + "x",
		"many nodes":             "a: [" + strings.Repeat("a,", 2_000_000) + "]",
		"many small maps":        "a: [" + strings.Repeat("{a},", 500_000) + "]",
		"escapes":                "a:\n  \"" + strings.Repeat("<", 8_000_000) + "\"",
		"binary":                 "a: !!binary " + strings.Repeat("/////w==", 1) + strings.Repeat("////", 2_000_000),
		"simple text, many keys": strings.Repeat("- a\n", 1) + strings.Repeat("- {a: [b, c]}\n", 400_000),
	}
}

func TestHostileTextsAreLimited(t *testing.T) {
	for name, text := range hostile() {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var v any
			err := Decoder{}.Unmarshal([]byte(text), &v)
			_, objectErr := Decoder{}.Object(text)
			checkErr := Decoder{}.Check([]byte(text))
			runtime.ReadMemStats(&after)
			for call, err := range map[string]error{"Unmarshal": err, "Object": objectErr, "Check": checkErr} {
				if name == "depth past the parser" && call == "Check" {
					continue // the parser's own error
				}
				var limit *LimitError
				if !errors.As(err, &limit) {
					t.Errorf("%s: %.200v", call, err)
				}
			}
			// What all three calls allocated together, garbage included.
			if got := after.TotalAlloc - before.TotalAlloc; got > 3*192<<20 {
				t.Errorf("%d MiB were allocated", got>>20)
			}
		})
	}
}

// What stays of a text stays charged, so that many small ones have a bound too.
func TestTextsShareAnAccount(t *testing.T) {
	text := "a: &a [" + strings.Repeat("x,", 99) + "]\nb: [" + strings.Repeat("*a,", 96) + "]"
	budget := NewBudget(64 << 20)
	var limit *LimitError
	n := 0
	for ; n < 6000; n++ {
		if _, err := (Decoder{Account: budget}).Object(text); errors.As(err, &limit) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if n < 20 || n > 200 {
		t.Errorf("%d documents of 10,000 nodes in 64 MiB", n)
	}
}

// A failed text is not charged.
func TestFailedTextsAreGivenBack(t *testing.T) {
	budget := NewBudget(0)
	for name, text := range hostile() {
		if (Decoder{Account: budget}).Unmarshal([]byte(text), new(any)) == nil {
			t.Errorf("%s passes", name)
		}
	}
	for _, text := range []string{"a: b: c", "a: [", "\t"} {
		if (Decoder{Account: budget}).Unmarshal([]byte(text), new(any)) == nil {
			t.Errorf("%s passes", text)
		}
	}
	if used := budget.used.Load(); used != 0 {
		t.Errorf("%d bytes are still charged", used)
	}
}

// Decoding has the results and errors of sigs.k8s.io/yaml.
func TestDecoderAgrees(t *testing.T) {
	texts := append([]string{
		"", "null", "a", "- a\n- 1", "1", "a: &a {b: c}\nd: *a\ne: {<<: *a, f: g}", "a: 1.0\nb: 12345678901234567890\nc: 1e400", "a: .nan",
		"a: yes\n1: 2\ntrue: x\n1.5: y", "a: b: c", "a: [", "? [a]\n: b", "a: !!binary aGk=", "a: b\n---\nc: d", "a: *a", "a: &a b\nc: *a",
		"a: &a\n  b: c\nd:\n- *a\n- *a", `{"a": [1, 2.5, {"b": null}]}`,
	}, simpleTexts...)
	for _, text := range texts {
		decodesAlike(t, text)
	}
}

func decodesAlike(t *testing.T, text string) {
	t.Helper()
	var got, want any
	err := Decoder{}.Unmarshal([]byte(text), &got)
	if errors.As(err, new(*LimitError)) {
		return
	}
	wantErr := yaml.Unmarshal([]byte(text), &want)
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%q: error %v, sigs.k8s.io/yaml has %v", text, err, wantErr)
	} else if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%q: (-sigs +got)\n%s", text, diff)
	}
	object, err := Decoder{}.Object(text)
	var kind *KindError
	if errors.As(err, &kind) {
		if diff := cmp.Diff(want, kind.Value); diff != "" {
			t.Errorf("%q: (-sigs +got)\n%s", text, diff)
		}
		return
	}
	wantObject, wantErr := whole(text, Integers)
	if (err == nil) != (wantErr == nil) {
		t.Errorf("%q: error %v, want %v", text, err, wantErr)
	} else if diff := cmp.Diff(wantObject, object); err == nil && diff != "" {
		t.Errorf("%q: (-sigs +got)\n%s", text, diff)
	}
}

// FuzzDecoder holds the Decoder against sigs.k8s.io/yaml, and what was charged
// against what the result has.
func FuzzDecoder(f *testing.F) {
	for _, text := range simpleTexts {
		f.Add(text)
	}
	for _, text := range hostile() {
		if len(text) < 4096 {
			f.Add(text)
		}
	}
	for _, text := range []string{"a: &a {b: c}\nd: *a\n<<: *a", "- &a [x]\n- *a\n- [*a, *a]", "? &a b\n: *a", "a: !!binary aGk=\nb: 0x1f\nc: 2001-01-01", "%TAG ! tag:x\n---\na: b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 4096 {
			return
		}
		decodesAlike(t, text)
		var v any
		budget := NewBudget(0)
		if (Decoder{Account: budget}).Unmarshal([]byte(text), &v) != nil {
			return
		}
		if kept := keptBy(v); kept > budget.used.Load() {
			t.Errorf("%q keeps %d bytes, and %d are charged", text, kept, budget.used.Load())
		}
	})
}

// keptBy is what a decoded value takes at least.
func keptBy(v any) int64 {
	switch v := v.(type) {
	case string:
		return int64(len(v)) + 16
	case []any:
		sum := int64(16 * len(v))
		for _, item := range v {
			sum += keptBy(item)
		}
		return sum
	case map[string]any:
		sum := int64(0)
		for key, item := range v {
			sum += int64(len(key)) + 32 + keptBy(item)
		}
		return sum
	}
	return 8
}
