package jsonstream

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// decoded is text as Kubernetes decodes it.
func decoded(t testing.TB, text string) any {
	t.Helper()
	var v any
	if err := utiljson.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// draw makes any value, of few keys and texts, so that some are equal.
func draw(g *rand.Rand, depth int) any {
	switch n := g.IntN(9 - min(depth, 4)); n {
	case 0:
		return []any{nil, true, false}[g.IntN(3)]
	case 1:
		return g.IntN(3)
	case 2:
		return []any{1.5, -2.25e-7, 1e30, 9223372036854775807, uint64(1 << 63)}[g.IntN(5)]
	case 3, 4:
		return []string{"", "a", "ab", "line\nand \"line\"\n", "<&>\u2028", "ä😀\\", "\u0001\b\f\r\t/"}[g.IntN(7)]
	case 5, 6:
		m := map[string]any{}
		for range g.IntN(12) {
			m[[]string{"a", "b", "c\n", "d\"", "ü", "f", "g", "h", "i", "j"}[g.IntN(10)]] = draw(g, depth+1)
		}
		return m
	}
	list := []any{}
	for range g.IntN(4) {
		list = append(list, draw(g, depth+1))
	}
	return list
}

// alter changes some of a value.
func alter(g *rand.Rand, v any) any {
	if g.IntN(8) == 0 {
		return draw(g, 3)
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if g.IntN(12) > 0 {
				out[key] = alter(g, value)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, value := range v {
			out = append(out, alter(g, value))
		}
		return out
	}
	return v
}

func TestSharingDecodesAsKubernetesDoes(t *testing.T) {
	g := rand.New(rand.NewPCG(5, 6))
	var s Sharing
	for range 20_000 {
		v := draw(g, 0)
		text, err := json.Marshal(v)
		if err == nil && g.IntN(2) == 0 {
			text, err = json.MarshalIndent(v, " ", "\t")
		}
		if err != nil {
			t.Fatal(err)
		}
		likes := [2]any{}
		for i := range likes {
			if g.IntN(4) > 0 {
				like, err := json.Marshal(alter(g, v))
				if err != nil {
					t.Fatal(err)
				}
				likes[i] = decoded(t, string(like))
			}
		}
		got, err := s.Decode(text, likes[0], likes[1])
		if want := decoded(t, string(text)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s, beside %v and %v, became %#v, %v", text, likes[0], likes[1], got, err)
		}
	}
}

func TestSharingDecodesOddities(t *testing.T) {
	for _, text := range []string{
		` { "a" : [ 1 , 2 ] , "b" : { } , "c" : [ ] } `, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ude00\ud83d"`, `"\u00e4\u2028\u003c\/"`, `"\\"`, `"\\\""`,
		`{"\u0061":1}`, "\"a\xffb\"", `-0`, `0`, `1E5`, `-1.5`, `12345678901234567890`, `null`, `true`, "\n[\t]\r",
	} {
		want := decoded(t, text)
		for _, like := range []any{nil, want, map[string]any{}, []any{}, "x", int64(1), 1.0, true} {
			var s Sharing
			if got, err := s.Decode([]byte(text), like, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, beside %v, became %#v, %v, want %#v", text, like, got, err, want)
			}
		}
	}
}

// What is nested deeply, and differs at the bottom from what it is beside, is
// gone through once.
func TestSharingOfDeepValues(t *testing.T) {
	const depth = 5000
	nested := func(leaf string) string {
		return strings.Repeat(`{"a":[`, depth/2) + leaf + strings.Repeat(`]}`, depth/2)
	}
	want := decoded(t, nested("3"))
	var s Sharing
	got, err := s.Decode([]byte(nested("3")), decoded(t, nested("1")), decoded(t, nested("2")))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it became something else: %v", err)
	}
}

func TestSharingShares(t *testing.T) {
	make := func() map[string]any {
		return map[string]any{
			"name": "web", "count": int64(3), "part": 1.5, "on": true, "none": nil,
			"labels": map[string]any{"app": "web", "tier": "front\n"},
			"ports":  []any{map[string]any{"name": "http", "port": int64(80)}, int64(4)},
		}
	}
	is := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	like, other := make(), map[string]any{"labels": map[string]any{"app": "shop"}, "ports": "none"}
	for name, c := range map[string]struct {
		change func(m map[string]any)
		own    string // what is not shared
	}{
		"nothing":        {func(map[string]any) {}, ""},
		"another value":  {func(m map[string]any) { m["count"] = int64(4) }, ""},
		"another type":   {func(m map[string]any) { m["count"] = 3.5 }, ""},
		"a map for text": {func(m map[string]any) { m["name"] = map[string]any{} }, ""},
		"text for a map": {func(m map[string]any) { m["labels"] = "none" }, "labels"},
		"text for list":  {func(m map[string]any) { m["ports"] = "some" }, "ports"},
		"one more":       {func(m map[string]any) { m["more"] = nil }, ""},
		"one less":       {func(m map[string]any) { delete(m, "none") }, ""},
		"a longer list":  {func(m map[string]any) { m["ports"] = append(m["ports"].([]any), int64(5)) }, "ports"},
		"a shorter list": {func(m map[string]any) { m["ports"] = m["ports"].([]any)[:1] }, "ports"},
		"deep down":      {func(m map[string]any) { m["ports"].([]any)[0].(map[string]any)["port"] = int64(81) }, "ports"},
		"another key":    {func(m map[string]any) { delete(m, "none"); m["nothing"] = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			want := make()
			c.change(want)
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			var s Sharing
			v, err := s.Decode(text, other, like)
			got, _ := v.(map[string]any)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("got %v, %v, want %v", got, err, want)
			}
			if !reflect.DeepEqual(like, make()) {
				t.Fatalf("like became %v", like)
			}
			if (name == "nothing") != is(got, like) {
				t.Error("the whole is shared if it differs, or not if it is equal")
			}
			for _, part := range []string{"labels", "ports"} {
				if part != c.own && !is(got[part], like[part]) {
					t.Errorf("%s is not shared", part)
				}
			}
		})
	}
}

func TestText(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"X","data":{"metadata":{"name":"no"},"x":[1,{"}":"]"},"\\\""]},"metadata":{"labels":{"name":"no"},"n":-1.5e3,"name":"y\n","z":1}}`: "y\n",
		` { "metadata" : { "name" : "x" } } `: "x",
		`{"metadata":{"name":5}}`:             "",
		`{"metadata":{"name":null}}`:          "",
		`{"metadata":{}}`:                     "",
		`{"metadata":"name"}`:                 "",
		`{"metadata":["name"]}`:               "",
		`{}`:                                  "",
		`null`:                                "",
		`[]`:                                  "",
		`"x"`:                                 "",
	} {
		if got := Text([]byte(text), "metadata", "name"); got != want {
			t.Errorf("%s has %q", text, got)
		}
	}
}

func BenchmarkSharing(b *testing.B) {
	text := fmt.Sprintf(`{"metadata":{"name":"x","uid":"y","labels":{"app":"web"}},"data":{"text":%q}}`, strings.Repeat("a line of text\n", 150))
	like := decoded(b, strings.Replace(text, `"y"`, `"z"`, 1))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var s Sharing
	for b.Loop() {
		if _, err := s.Decode([]byte(text), like, nil); err != nil {
			b.Fatal(err)
		}
	}
}
