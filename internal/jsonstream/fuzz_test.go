package jsonstream

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	kubejson "k8s.io/apimachinery/pkg/util/json"
)

// FuzzSharing decodes valid JSON as Kubernetes does, whatever it may share parts
// with: those are not changed, and what is decoded does not depend on them.
func FuzzSharing(f *testing.F) {
	for _, text := range []string{
		`null`, `{}`, `[]`, `{"a":1}`, `{"a":1.5,"b":[true,null,"x"]}`, `{"a":"\u00e9\ud83d\ude00\n","a":2}`,
		`[9223372036854775807,9223372036854775808,-1e5]`, ` { "metadata" : { "name" : "x" } } `, `"\ud800"`, `{"":{"":[[[]]]}}`,
	} {
		f.Add(text, text)
		f.Add(text, `{"a":1,"b":[true,null,"y"],"metadata":{"name":"x"}}`)
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		if !json.Valid([]byte(text)) || !json.Valid([]byte(other)) {
			t.Skip("not JSON")
		}
		if hasTwice(text) {
			t.Skip("a member stands twice")
		}
		var want, with, before any
		if kubejson.Unmarshal([]byte(text), &want) != nil || kubejson.Unmarshal([]byte(other), &with) != nil || kubejson.Unmarshal([]byte(other), &before) != nil {
			t.Skip("JSON that Kubernetes does not read")
		}
		var s Sharing
		got, err := s.Decode([]byte(text), with, want)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q became %#v, %v, want %#v", text, got, err, want)
		}
		if !reflect.DeepEqual(with, before) {
			t.Errorf("what it is shared with became %#v, from %#v", with, before)
		}
		if m, ok := want.(map[string]any); ok {
			metadata, _ := m["metadata"].(map[string]any)
			name, _ := metadata["name"].(string)
			if got := Text([]byte(text), "metadata", "name"); name != "" && utf8.ValidString(text) && got != name {
				t.Errorf("the name in %q is %q, want %q", text, got, name)
			}
		}
	})
}

// hasTwice reports whether an object in valid JSON has a member twice.
func hasTwice(text string) bool {
	d := json.NewDecoder(strings.NewReader(text))
	var twice func() bool
	twice = func() bool {
		token, err := d.Token()
		if err != nil {
			return true
		}
		found := false
		switch token {
		case json.Delim('{'):
			seen := map[any]bool{}
			for d.More() {
				name, err := d.Token()
				found = found || err != nil || seen[name]
				seen[name] = true
				found = twice() || found
			}
		case json.Delim('['):
			for d.More() {
				found = twice() || found
			}
		default:
			return false
		}
		_, err = d.Token()
		return found || err != nil
	}
	return twice()
}
