package jsonstream

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// walk reads an object whose arrays hold numbers, all else passed over.
func walk(text string) (names []string, sum int, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	err = Object(d, func(name string) error {
		names = append(names, name)
		if name != "numbers" {
			return Skip(d)
		}
		return Array(d, func() error {
			var n int
			err := d.Decode(&n)
			sum += n
			return err
		})
	})
	return names, sum, err
}

func TestObject(t *testing.T) {
	text := `{"a":"x","numbers":[1,2,3],"b":{"numbers":[{},[4]]},"c":[5],"d":null,"e":1.5,"f":true}`
	names, sum, err := walk(text)
	if err != nil || sum != 6 || !slices.Equal(names, []string{"a", "numbers", "b", "c", "d", "e", "f"}) {
		t.Errorf("%v, %d, %v", names, sum, err)
	}
	for _, text := range []string{"null", "{}", `{"numbers":null}`} {
		if _, _, err := walk(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "1", "[]", `"x"`, "{", `{"a"`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{"numbers":{}}`, `{"numbers":[1`, `{"numbers":[1,"x"]}`, `{"a":[}`} {
		if _, _, err := walk(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}
