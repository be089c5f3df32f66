package diff

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ErrSecret is returned by [Change.ApplyTo] for a change with redacted values.
var ErrSecret = errors.New("secret values of the change are redacted")

// ApplyTo returns live with the change applied: nil if it deletes the object.
// live may be nil for an object that is created. The result equals the merged
// object that the change was computed from, apart from the fields that the API
// server writes (status, managedFields and the like) and from the position of
// new items in a list merged by key. live is not changed.
//
// It fails with ErrSecret or ErrUnknown if a value is redacted or not known.
func (c Change) ApplyTo(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	for _, f := range c.Fields {
		if hasUnknown(f.Desired) {
			return nil, fmt.Errorf("apply the change of %s: %s: %w", c.Object, f.Path, ErrUnknown)
		}
	}
	return c.applyTo(live)
}

// applyTo is ApplyTo with what is unknown left in the object.
func (c Change) applyTo(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if c.Action == Deleted {
		return nil, nil
	}
	var root any = map[string]any{}
	if live != nil {
		v, err := plain(live.Object)
		if err != nil {
			return nil, fmt.Errorf("apply the change of %s: %w", c.Object, err)
		}
		root = v
	}
	for _, f := range c.Fields {
		if f.Secret {
			return nil, fmt.Errorf("apply the change of %s: %s: %w", c.Object, f.Path, ErrSecret)
		}
		p, err := parsePath(f.Path)
		if err == nil && len(p) == 0 {
			err = &PathError{Path: f.Path, Want: "a field name"}
		}
		if err != nil {
			return nil, fmt.Errorf("apply the change of %s: %w", c.Object, err)
		}
		v, err := plain(f.Desired)
		if err != nil {
			return nil, fmt.Errorf("apply the change of %s: %s: %w", c.Object, f.Path, err)
		}
		if f.Reordered {
			order, _ := v.([]any)
			root = edit(root, p, func(old any) any { return reorder(old, order) })
			continue
		}
		root = edit(root, p, func(any) any { return v })
	}
	u := &unstructured.Unstructured{Object: root.(map[string]any)}
	if live == nil {
		u.SetGroupVersionKind(c.Object.GroupVersionKind())
		u.SetName(c.Object.Name)
		if c.Object.Namespace != "" {
			u.SetNamespace(c.Object.Namespace)
		}
	}
	return u, nil
}

// edit returns v with the value at p replaced by the result of to; nil removes
// it. Missing parents are created unless the result is nil.
func edit(v any, p path, to func(any) any) any {
	if len(p) == 0 {
		return to(v)
	}
	s := p[0]
	old := s.down(v)
	now := edit(old, p[1:], to)
	switch s.kind {
	case stepField:
		m, ok := v.(map[string]any)
		switch {
		case ok && now == nil:
			delete(m, s.name)
		case ok:
			m[s.name] = now
		case now != nil:
			return map[string]any{s.name: now}
		}
		return v
	case stepIndex:
		if l, ok := v.([]any); ok && s.index < len(l) {
			l[s.index] = now
		}
		return v
	}
	l, _ := v.([]any)
	i := slices.IndexFunc(l, s.matches)
	switch {
	case i >= 0 && now == nil:
		return slices.Delete(l, i, i+1)
	case i >= 0:
		l[i] = now
	case now != nil:
		l = append(l, now)
	default:
		return v
	}
	return l
}

// reorder sorts the items of v whose keys are in order by that order; other
// items keep their position.
func reorder(v any, order []any) any {
	l, ok := v.([]any)
	if !ok {
		return v
	}
	var places []int
	var moved []any
	for _, keys := range order {
		text, _ := keys.(string)
		s, _, want := parseBracket(text + "]")
		if want != "" {
			continue
		}
		if i := slices.IndexFunc(l, s.matches); i >= 0 && !slices.Contains(places, i) {
			places = append(places, i)
			moved = append(moved, l[i])
		}
	}
	slices.Sort(places)
	out := slices.Clone(l)
	for i, p := range places {
		out[p] = moved[i]
	}
	return out
}
