package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// eventTypes returns all types of events.
func eventTypes() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[Started](), reflect.TypeFor[Ended](), reflect.TypeFor[Planned](), reflect.TypeFor[LockWaited](),
		reflect.TypeFor[Reverting](), reflect.TypeFor[Recorded](), reflect.TypeFor[Warning](),
		reflect.TypeFor[Applied](), reflect.TypeFor[Kept](), reflect.TypeFor[Failed](), reflect.TypeFor[Skipped](),
		reflect.TypeFor[HookStarted](), reflect.TypeFor[HookEnded](),
		reflect.TypeFor[Waiting](), reflect.TypeFor[Trouble](), reflect.TypeFor[LogLine](), reflect.TypeFor[Ready](), reflect.TypeFor[Unready](),
	}
}

// eventErrField is the field of an event that holds an error, which JSON has
// as text.
const eventErrField = "Err"

// eventHeader is what the JSON of every event has besides its own fields.
type eventHeader struct {
	Type  string  `json:"type"`
	Error *string `json:"error,omitempty"` // text of the field Err; absent: nil
}

// MarshalEvent returns an event as one JSON object, whose field "type" is the
// name of the event's Go type. An error in it is kept as its text.
func MarshalEvent(e Event) ([]byte, error) {
	v := reflect.ValueOf(e)
	if e == nil || !slices.Contains(eventTypes(), v.Type()) {
		return nil, fmt.Errorf("marshal event: %T is no event of this package", e)
	}
	header := eventHeader{Type: v.Type().Name()}
	if f := v.FieldByName(eventErrField); f.IsValid() && !f.IsNil() {
		text := f.Interface().(error).Error()
		header.Error = &text
	}
	head, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("marshal event: %w", err)
	}
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("marshal event %s: %w", header.Type, err)
	}
	// Both are objects with at least one field.
	head[len(head)-1] = ','
	return append(head, body[1:]...), nil
}

// UnmarshalEvent returns the event of what MarshalEvent returned. An error in
// it has the text of the original but not its type: errors.Is and errors.As
// find nothing in it. Unknown fields are ignored; an unknown type is an error.
func UnmarshalEvent(data []byte) (Event, error) {
	var header eventHeader
	if err := json.Unmarshal(data, &header); err != nil {
		return nil, fmt.Errorf("unmarshal event: %w", err)
	}
	for _, t := range eventTypes() {
		if t.Name() != header.Type {
			continue
		}
		v := reflect.New(t)
		if err := json.Unmarshal(data, v.Interface()); err != nil {
			return nil, fmt.Errorf("unmarshal event %s: %w", header.Type, err)
		}
		if f := v.Elem().FieldByName(eventErrField); f.IsValid() && header.Error != nil {
			f.Set(reflect.ValueOf(errors.New(*header.Error)))
		}
		return v.Elem().Interface().(Event), nil
	}
	return nil, fmt.Errorf("unmarshal event: type %q is unknown", header.Type)
}
