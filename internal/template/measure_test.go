package template

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	texttemplate "text/template"
)

// randomValue is a value of the kinds that values files and functions make.
func randomValue(r *rand.Rand, depth int) any {
	switch n := r.IntN(10); {
	case n < 2 && depth > 0:
		m := map[string]any{}
		for range r.IntN(5) {
			m[randomText(r)] = randomValue(r, depth-1)
		}
		return m
	case n < 4 && depth > 0:
		list := []any{}
		for range r.IntN(5) {
			list = append(list, randomValue(r, depth-1))
		}
		return list
	case n == 4:
		return r.Int() - math.MaxInt/2
	case n == 5:
		return math.Float64frombits(r.Uint64())
	case n == 6:
		return []any{nil, true, false, int64(-1), 0, 10, -10}[r.IntN(7)]
	case n == 7:
		return []int{r.Int(), -r.Int()}
	}
	return randomText(r)
}

func randomText(r *rand.Rand) string {
	pool := []string{"a", " ", "\n", "\t", "\x00", "\x01", "\x7f", "\x80", "\xff", "é", "\u0080", "\u2028", "\ufeff", "\U0010ffff", "日本", "\"", "'", "\\", "<", "&", "=", "%", ":", "#", "-", "0", "~"}
	b := strings.Builder{}
	for range r.IntN(30) {
		b.WriteString(pool[r.IntN(len(pool))])
	}
	return b.String()
}

// What a form measures is never less than what is written.
func TestFormsAreUpperBounds(t *testing.T) {
	s, err := Compile(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := s.NewRun(context.Background(), Env{})
	r.tmpl = &template{name: "test"}
	call := func(name string) func(any) string {
		f := functions()[name]
		return func(v any) string {
			out, err := f.call(r, []value{of(v)})
			if err != nil {
				return ""
			}
			return out.v.(string)
		}
	}
	format := func(verb string) func(any) string {
		return func(v any) string { return fmt.Sprintf(verb, v) }
	}
	for name, c := range map[string]struct {
		form  *form
		write func(any) string
	}{
		"print": {&shown, format("%v")}, "quote": {&quoted, call("quote")}, "syntax": {&goSyntax, format("%#v")},
		"hexadecimal": {&hexForm, format("%# x")}, "ascii": {&asciiForm, format("%+q")}, "wrong verb": {&badForm, format("%d")},
		"binary": {&badForm, format("%b")}, "fraction": {&badForm, format("%f")}, "time": {&badForm, format("%t")},
		"html": {&htmlForm, call("html")}, "js": {&jsForm, call("js")}, "urlquery": {&urlForm, func(v any) string { return texttemplate.URLQueryEscaper(v) }},
		"json": {&jsonForm, call("toJson")}, "pretty": {&prettyForm, call("toPrettyJson")},
		"yaml": {&yamlForm, toYAML}, "pretty yaml": {&yamlForm, call("toYamlPretty")}, "toml": {&tomlForm, call("toToml")},
	} {
		random := rand.New(rand.NewPCG(1, 2))
		for range 3000 {
			v := randomValue(random, 4)
			out := c.write(v)
			if strings.HasPrefix(out, "toml: ") { // an error
				continue
			}
			if most := r.written(c.form, []value{of(v)}).bytes; int64(len(out)) > most {
				t.Errorf("%s: %#v is measured as %d bytes, and takes %d: %q", name, v, most, len(out), out)
				break
			}
		}
	}
}

func TestEqualDeep(t *testing.T) {
	s, err := Compile(nil, Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := s.NewRun(context.Background(), Env{})
	r.tmpl = &template{name: "test"}
	random := rand.New(rand.NewPCG(3, 4))
	values := []any{nil, map[string]any(nil), map[string]any{}, []any(nil), []any{}, []string{"a"}, []any{"a"}, math.NaN(), 1, int64(1), 1.0, "", "a"}
	for range 60 {
		values = append(values, randomValue(random, 2))
	}
	for _, a := range values {
		for _, b := range values {
			if got, want := r.equalDeep(a, b, 0), reflect.DeepEqual(a, b); got != want {
				t.Errorf("%#v and %#v: %t, want %t", a, b, got, want)
			}
		}
	}
}

func TestTrimAll(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		text := randomText(random) + randomText(random)
		cutset := strings.Repeat("q", 70) + randomText(random)
		if got, want := trimAll(text, cutset), strings.Trim(text, cutset); got != want {
			t.Fatalf("trimAll(%q, %q) is %q, want %q", text, cutset, got, want)
		}
	}
}
