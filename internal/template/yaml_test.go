package template

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unicode"
)

func testRun(t testing.TB) *Run {
	t.Helper()
	s, err := Compile([]Source{{"x", "x"}}, Options{AsMap: asMap})
	if err != nil {
		t.Fatal(err)
	}
	r := s.NewRun(context.Background(), Env{})
	r.tmpl = s.root.defs["x"]
	return r
}

func sameYAML(t *testing.T, r *Run, v any) {
	t.Helper()
	if got, want := r.yaml(v), toYAML(v); got != want {
		t.Errorf("%#v\n got %q\nwant %q", v, got, want)
	}
}

// TestYAML compares the writer with the original, for each string as a value at
// several depths and as a key.
func TestYAML(t *testing.T) {
	r := testRun(t)
	long := strings.Repeat("word and ", 30)
	texts := strings.Split("|a|a b|true|True|yes|on|y|N|~|null|NULL|1|1.5|-1|+1|0x1f|0o17|017|0b11|-0b11|1_000|1e3|.5|.inf|-.Inf|.NaN|.Nan|1:30|190:20:30|2001-01-01|"+
		"2001-1-1T1:1:1Z|2001-01-01 10:00:00|- a|-|-a|? a|?|:|: a|:a|a:|a: b|a:b|a #b|a#b|#a|,a|[a|]a|{a}|&a|*a|!a||>|'a'|a'b|\"a\"|a\"b|%a|@a|`a`|---|--- a|...|a...| a|a |  |"+
		"<<|=|a\tb|\ta|é|日本|a\u00a0b|\u0085|\u2028|\ufeff|😀|\x00|\x7f|\xff|a\\b|a\\ b|--|-- a|.|..|+|-.|0|00|0.|1.|1e|1e+|12e03|1 2|1,2|0x|0xg|+.inf|+.INF|-.INF|Off|OFF|oFF|1__0|_1|"+
		"18446744073709551615|99999999999999999999|{{ x }}|a: b: c|http://x:80/|x,y|a]b|"+long+"|"+strings.Repeat("x", 100)+" y|"+strings.Repeat("ab  cd ", 30)+"|: "+long+"|"+long+": x|' "+long+"|1 "+long, "|")
	texts = append(texts,
		"a\nb", "a\nb\n", "a\n\n", "\n", "\n\n", "\na", " a\nb", "a\n b", "a \nb", "a\nb ", "a\n\nb", "a\nb\n\n", "\n a", "a: b\nc", "#!/bin/sh\necho \"$1\"\n", "|\nx", long+"\n"+long, "a\n"+long+" ", "true\n", "a\n\t", "é\nü\n", strings.Repeat(`"x" `, 40)+"\n y \n",
	)
	for _, s := range texts {
		sameYAML(t, r, s)
		sameYAML(t, r, map[string]any{"k": s, "l": []any{s, s}, "m": map[string]any{"n": s, "o": []any{[]any{s}, map[string]any{"p": s, "q": s}}}})
		sameYAML(t, r, map[string]any{s: s, "z": map[string]any{s: []any{s}}})
		sameYAML(t, r, []any{s, []any{s}, map[string]any{s: 1}})
		sameYAML(t, r, []string{s, "x"})
		sameYAML(t, r, map[string]string{s: s, "x": "y"})
	}
	for _, v := range []any{
		nil, true, 1, -1, int64(math.MaxInt64), uint64(math.MaxUint64), 1.0, 1.5, 1e6, 1234567.5, 1e14, 1e15, 1e20, 1e21, 1e-7, 0.1, math.Copysign(0, -1), math.NaN(), math.Inf(1),
		float32(1.1), json.Number("12"), []byte("x"), [2]int{1, 2}, []int{3}, map[string]int{"a": 1}, map[int]string{1: "a"}, map[any]any{"a": 1}, struct{ A string }{"x"}, func() {},
		map[string]any(nil), []any(nil), map[string]any{}, []any{}, []any{map[string]any{}, []any{}, nil}, map[string]any{"a": map[string]any{}, "b": []any{}, "c": nil, "d": map[string]any(nil)},
		namedMap{"a": []any{1}}, &namedMap{}, map[string]any{"f": func() {}}, []any{[]any{[]any{1, 2}, 3}, map[string]any{"a": []any{map[string]any{"b": []any{1}}}}},
	} {
		sameYAML(t, r, v)
		sameYAML(t, r, map[string]any{"k": v})
		sameYAML(t, r, []any{v, v})
	}
	// The order of keys is not transitive, so only pairs have one.
	keys := strings.Fields("a A b a1 a10 a2 a01 a001 1 10 2 01 _ - . a-b a_b a.b ab aB Z z é 日 a1b a1c a10b 0 00 100 1000 a0 a00 a/b a~ b1 b0 b01 b001 x100y x10y x010y 9z 10z 1.2 1.10 a9é a9日")
	for _, one := range keys {
		for _, two := range keys {
			sameYAML(t, r, map[string]any{one: 1, two: 2})
		}
	}
}

// tame spells the digits in keys of maps of more than two, whose order would be
// left to chance, with letters.
func tame(v any) any {
	switch t := v.(type) {
	case []any:
		for i := range t {
			t[i] = tame(t[i])
		}
	case map[string]any:
		out := map[string]any{}
		for k, e := range t {
			if len(t) > 2 {
				k = strings.Map(func(r rune) rune {
					if unicode.IsDigit(r) {
						return 'd'
					}
					return r
				}, k)
			}
			out[k] = tame(e)
		}
		return out
	}
	return v
}

// FuzzYAML compares the writer with the original on any JSON.
func FuzzYAML(f *testing.F) {
	for _, s := range []string{`{"a":"b: c","d":["x\ny\n",1.5,null,{"e":[]}]}`, `"- x"`, `[[["a"],{"b":" c"}],"yes"]`, `{"a1":1,"a10":"0x1","a2":"1:30"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r := testRun(t)
		var v any
		if json.Unmarshal(data, &v) != nil || strings.Count(string(data), "[")+strings.Count(string(data), "{") > 500 {
			return
		}
		sameYAML(t, r, tame(v))
	})
}
