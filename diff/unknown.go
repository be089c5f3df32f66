package diff

import (
	"encoding/json"
	"errors"
)

// ErrUnknown is returned by [Change.ApplyTo] for a change with unknown values.
var ErrUnknown = errors.New("values of the change are known only after something else is applied")

// Unknown is a value of a Field, or a part of one, that is not known yet: it
// follows from something that is applied before. All formats show it as
// "(known after apply)". In the place of a key of a map or of a list item that is
// not known, that text stands itself.
//
// In JSON it is {"fairlead.dev/unknown": true}, which no field of a report can
// have as its own value.
type Unknown struct{}

const (
	unknownText = "(known after apply)"
	unknownKey  = "fairlead.dev/unknown"
)

// String returns "(known after apply)".
func (Unknown) String() string { return unknownText }

// MarshalJSON writes the object that stands for it.
func (Unknown) MarshalJSON() ([]byte, error) { return json.Marshal(map[string]bool{unknownKey: true}) }

// Unknown returns the paths of the values that are unknown, in the order of
// Fields; a value below a field has the path of the field followed by its own.
func (c Change) Unknown() []string {
	var out []string
	for _, f := range c.Fields {
		p, err := parsePath(f.Path)
		if err != nil {
			continue
		}
		eachUnknown(p, f.Desired, func(at path) { out = append(out, at.String()) })
	}
	return out
}

func eachUnknown(at path, v any, found func(path)) {
	switch v := v.(type) {
	case Unknown:
		found(at)
	case map[string]any:
		for _, k := range keysOf(v, nil) {
			eachUnknown(append(at[:len(at):len(at)], step{kind: stepField, name: k}), v[k], found)
		}
	case []any:
		for i, e := range v {
			eachUnknown(append(at[:len(at):len(at)], step{kind: stepIndex, index: i}), e, found)
		}
	}
}

func hasUnknown(v any) bool {
	found := false
	eachUnknown(nil, v, func(path) { found = true })
	return found
}

// replaced returns a copy of v in which to has replaced the leaves that it
// returns true for.
func replaced(v any, to func(any) (any, bool)) any {
	if w, ok := to(v); ok {
		return w
	}
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = replaced(e, to)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = replaced(e, to)
		}
		return out
	}
	return v
}

// revived is v, read from JSON, with the values that are unknown.
func revived(v any) any {
	return replaced(v, func(v any) (any, bool) {
		m, ok := v.(map[string]any)
		return Unknown{}, ok && len(m) == 1 && m[unknownKey] == true
	})
}

// printable is v with a text in place of what is unknown.
func printable(v any) any {
	if !hasUnknown(v) {
		return v
	}
	return replaced(v, func(v any) (any, bool) {
		u, ok := v.(Unknown)
		return u.String(), ok
	})
}
