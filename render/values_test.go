package render

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Whatever prints or logs values shows none of them.
func TestValuesAreNotPrinted(t *testing.T) {
	const secret = "s3cret"
	layers := []Layer{
		FromMap("map", map[string]any{"a": secret, "n": 424242}), FromYAML("yaml", []byte("b: "+secret)), FromSet("c=" + secret), FromSetJSON(`d={"e":"` + secret + `"}`),
	}
	values, err := MergeValues(layers...)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Name: "shop", Values: values}
	type private struct {
		v  Values
		in Input
		l  []Layer
	}
	type public struct {
		V  Values `json:"-"`
		In Input
		L  []Layer
	}
	things := map[string]any{
		"values": values, "pointer": &values, "layers": layers, "layer": layers[0], "input": in, "input pointer": &in,
		"private": private{values, in, layers}, "private pointer": &private{values, in, layers}, "public": public{values, in, layers}, "list": []Values{values}, "map": map[string]Values{"x": values},
	}
	hides := func(how, text string) {
		t.Helper()
		for _, s := range []string{secret, "424242", fmt.Sprintf("%x", secret), fmt.Sprint([]byte(secret))[1:20]} {
			if strings.Contains(text, s) {
				t.Errorf("%s: %s", how, text)
			}
		}
	}
	for name, thing := range things {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
			hides(name+" "+verb, fmt.Sprintf(verb, thing))
		}
		for handler, log := range map[string]func(*bytes.Buffer) slog.Handler{
			"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			if _, stored := map[string]bool{"values": true, "pointer": true, "list": true, "map": true}[name]; stored && handler == "JSON" {
				continue // encoding/json stores values
			}
			var b bytes.Buffer
			slog.New(log(&b)).Info("x", "thing", thing)
			hides(name+" in a log in "+handler, b.String())
		}
		if strings.HasPrefix(name, "input") || strings.HasPrefix(name, "layer") || name == "public" {
			data, err := json.Marshal(thing)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			hides(name+" in JSON", string(data))
		}
	}
	if got := fmt.Sprint(values); got != "values with 5 keys" {
		t.Errorf("%s", got)
	}
}

// A comma in a value makes a key of what follows; no error repeats it.
func TestSetErrorsHideValues(t *testing.T) {
	for _, layer := range []Layer{
		FromSet("password=abc,s3cret"), FromSet("a=x,s3cret[=y"), FromSetString("password=abc,s3cret"), FromSetJSON(`password={"s3cret"`), FromSetJSON("password=s3cret"), FromSet("a=b,s3cret[x]=1"),
	} {
		_, err := MergeValues(layer)
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
	if _, err := MergeValues(FromSet("port")); err == nil || !strings.Contains(err.Error(), `key "port" has no value`) {
		t.Errorf("%v", err)
	}
}
