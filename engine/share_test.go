package engine

import (
	"reflect"
	"testing"
)

func TestShare(t *testing.T) {
	make := func() map[string]any {
		return map[string]any{
			"name": "web", "count": int64(3), "part": 1.5, "on": true, "none": nil,
			"labels": map[string]any{"app": "web", "tier": "front"},
			"ports":  []any{map[string]any{"name": "http", "port": int64(80)}, int64(4)},
		}
	}
	is := func(a, b any) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }
	like, other := make(), map[string]any{"labels": map[string]any{"app": "shop"}, "ports": "none"}
	if !is(share(make(), like, nil), like) || !is(share(make(), nil, like), like) || !is(share(make(), other, like), like) {
		t.Error("what is equal is not shared")
	}
	for name, c := range map[string]struct {
		change func(m map[string]any)
		own    string // what is not shared, beside the whole
	}{
		"another value":  {func(m map[string]any) { m["count"] = int64(4) }, ""},
		"another type":   {func(m map[string]any) { m["count"] = 3.0 }, ""},
		"a map for text": {func(m map[string]any) { m["name"] = map[string]any{} }, ""},
		"text for a map": {func(m map[string]any) { m["labels"] = "none" }, "labels"},
		"text for list":  {func(m map[string]any) { m["ports"] = "none" }, "ports"},
		"one more":       {func(m map[string]any) { m["more"] = nil }, ""},
		"one less":       {func(m map[string]any) { delete(m, "none") }, ""},
		"a longer list":  {func(m map[string]any) { m["ports"] = append(m["ports"].([]any), int64(5)) }, "ports"},
		"a shorter list": {func(m map[string]any) { m["ports"] = m["ports"].([]any)[:1] }, "ports"},
		"deep down":      {func(m map[string]any) { m["ports"].([]any)[0].(map[string]any)["port"] = int64(81) }, "ports"},
		"another key":    {func(m map[string]any) { delete(m, "none"); m["nothing"] = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v, want := make(), make()
			c.change(v)
			c.change(want)
			got := share(v, other, like).(map[string]any)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if !reflect.DeepEqual(like, make()) {
				t.Fatalf("like became %v", like)
			}
			for _, part := range []string{"labels", "ports"} {
				if part != c.own && !is(got[part], like[part]) {
					t.Errorf("%s is not shared", part)
				}
			}
		})
	}
}
