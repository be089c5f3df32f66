package engine

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Every event is the same after MarshalEvent and UnmarshalEvent, errors by
// their text.
func TestEventsRoundTripThroughJSON(t *testing.T) {
	for _, e := range oneOfEach(t) {
		name := reflect.TypeOf(e).Name()
		data, err := MarshalEvent(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var doc struct {
			Type    string
			Release Key
			Time    time.Time
		}
		if err := json.Unmarshal(data, &doc); err != nil || doc.Type != name || doc.Release != e.Release() || !doc.Time.Equal(e.Time()) {
			t.Errorf("%s: %+v, %v: %s", name, doc, err, data)
		}
		for _, key := range []string{`"type"`, `"release"`, `"time"`} {
			if strings.Count(string(data), key) != 1 {
				t.Errorf("%s: %s is there %d times: %s", name, key, strings.Count(string(data), key), data)
			}
		}
		back, err := UnmarshalEvent(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if a, b := fieldsOf(e), fieldsOf(back); !reflect.DeepEqual(a, b) {
			t.Errorf("%s:\n%+v\n%+v", name, a, b)
		}
		if back.String() != e.String() {
			t.Errorf("%s prints as %q, and as %q afterwards", name, e, back)
		}
	}
}

// fieldsOf returns an event as a map of its fields, with errors as text, and
// times without the monotonic clock.
func fieldsOf(e Event) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(e)
	for i := range v.NumField() {
		switch f := v.Field(i).Interface().(type) {
		case error:
			out[v.Type().Field(i).Name] = f.Error()
		case EventMeta:
			out["Key"], out["At"] = f.Key, f.At.UTC().Format(time.RFC3339Nano)
		default:
			out[v.Type().Field(i).Name] = f
		}
	}
	return out
}

func TestEventsWithoutAnError(t *testing.T) {
	data, err := MarshalEvent(Ended{Operation: OperationDeploy})
	if err != nil || strings.Contains(string(data), "error") {
		t.Errorf("%s, %v", data, err)
	}
	back, err := UnmarshalEvent(data)
	if ended, ok := back.(Ended); err != nil || !ok || ended.Err != nil {
		t.Errorf("%#v, %v", back, err)
	}
}

// An embedded event is no event of the package: its own fields would be lost.
type foreignEvent struct{ Planned }

func TestMarshalEventRefusesForeignTypes(t *testing.T) {
	for _, e := range []Event{nil, foreignEvent{}, &Planned{}} {
		if data, err := MarshalEvent(e); err == nil {
			t.Errorf("%T became %s", e, data)
		}
	}
	if _, err := MarshalEvent(Failed{Err: errors.New("")}); err != nil {
		t.Error(err)
	}
}

func TestUnmarshalEventRefuses(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"no JSON":      {`{`, "unmarshal event"},
		"no type":      {`{}`, `type "" is unknown`},
		"another type": {`{"type": "Exploded"}`, `type "Exploded" is unknown`},
		"another kind": {`{"type": "Ended", "took": "long"}`, "unmarshal event Ended"},
		"a list":       {`[]`, "unmarshal event"},
	} {
		if e, err := UnmarshalEvent([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want %q", name, e, err, c.want)
		}
	}
	if _, err := UnmarshalEvent([]byte(`{"type": "Warning", "message": "m", "added": "by a later version"}`)); err != nil {
		t.Error(err)
	}
}
