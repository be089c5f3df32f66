package jsonstream

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// walk reads an object whose arrays hold numbers, all else passed over.
func walk(text string) (names []string, sum int, err error) {
	d := NewReader(iotest.OneByteReader(strings.NewReader(text)))
	err = d.Object(func(name string) error {
		names = append(names, name)
		if name != "numbers" {
			return d.Skip()
		}
		return d.Array(func() error {
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
	for _, text := range []string{"", "1", "nul", "nullx", `{"a":nul`, "[]", `"x"`, "{", `{"a"`, `{"a":}`, `{"a":1`, `{"a":1,}`, `{"numbers":{}}`, `{"numbers":[1`, `{"numbers":[1,"x"]}`, `{"a":[}`} {
		if _, _, err := walk(text); err == nil {
			t.Errorf("%q is read", text)
		}
	}
}

// What is read of a member is what stands there, however it arrives.
func TestRaw(t *testing.T) {
	long := strings.Repeat(`x\"{[,`, chunk/5)
	for _, value := range []string{
		`"x"`, `""`, `"\\"`, `"a\\\"b"`, `"\u00e9"`, `1`, `-1.5e+7`, `true`, `null`, `{}`, `[]`, `{"a":"}"}`, `[["]"],{"\"":[1, 2]}]`,
		`{ "a" : [ 1 , "\\" ] , "b" : { } }`, `"` + long + `"`, `["` + long + `",{"` + long + `":1}]`,
	} {
		for _, from := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
			var got []byte
			d := NewReader(from(strings.NewReader(` { "before" : ` + value + ` , "value" : ` + value + " , \"after\":\n" + value + `}`)))
			err := d.Object(func(name string) (err error) {
				if name != "value" {
					return d.Skip()
				}
				got, err = d.Raw(nil)
				return err
			})
			if err != nil || string(got) != value {
				t.Errorf("%.50s is read as %.50s, %v", value, got, err)
			}
		}
	}
}

// FuzzReader reads valid JSON as encoding/json does, and ends with any other.
func FuzzReader(f *testing.F) {
	for _, text := range []string{`null`, `{"a":1,"b":[true,{"c":"\"}"}]}`, `[1,"x",[],{}]`, `"x"`, `{"a`, `[}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := NewReader(iotest.HalfReader(bytes.NewReader(text)))
		var got any
		read := func() error {
			raw, err := d.Raw(nil)
			if err != nil {
				return err
			}
			return json.Unmarshal(raw, &got)
		}
		err := read()
		var want any
		if json.Unmarshal(text, &want) == nil {
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%q is read as %v, %v", text, got, err)
			}
		}
		parts := Of(text)
		var members map[string]json.RawMessage
		valid := json.Unmarshal(text, &members) == nil && !hasTwice(string(text))
		err = parts.Object(func(name string) error {
			raw, err := parts.Raw(nil)
			if valid && !bytes.Equal(raw, bytes.TrimSpace(members[name])) {
				t.Errorf("member %q of %q is read as %q", name, text, raw)
			}
			return err
		})
		if valid && err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
