package merge

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// prepare returns a deep copy of u for merging: JSON's own types only, without
// managedFields.
func prepare(u *unstructured.Unstructured) *unstructured.Unstructured {
	o, _ := clone(u.Object).(map[string]any)
	out := &unstructured.Unstructured{Object: o}
	if meta, ok := o["metadata"].(map[string]any); ok {
		delete(meta, "managedFields")
	}
	return out
}

// clone copies v. Unlike runtime.DeepCopyJSON it accepts all Go types that YAML
// and JSON decoders return.
func clone(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int64:
		return v
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = clone(e)
		}
		return out
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	var out any
	if err := json.Unmarshal(data, &out); err != nil {
		return nil
	}
	if reflect.TypeOf(out).Kind() == reflect.Float64 {
		return clone(out)
	}
	return out
}

func emptyOf(u *unstructured.Unstructured) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind()}}
}

// dropNull removes fields that are null and may not be: they were merged as
// values, and the API server then treats them as absent. What is null in live
// stays.
func dropNull(v, live any, nulls *Nullable) {
	switch v := v.(type) {
	case map[string]any:
		have, _ := live.(map[string]any)
		for k, e := range v {
			if e != nil {
				dropNull(e, have[k], nulls.Field(k))
				continue
			}
			if was, there := have[k]; !nulls.Field(k).Allowed() && !(there && was == nil) {
				delete(v, k)
			}
		}
	case []any:
		have, _ := live.([]any)
		for i, e := range v {
			var was any
			if len(have) == len(v) {
				was = have[i]
			}
			dropNull(e, was, nulls.Item())
		}
	}
}

// foldStringData converts a Secret's stringData to data, as the API server does
// after merging.
func foldStringData(u *unstructured.Unstructured) {
	if u.GetAPIVersion() != "v1" || u.GetKind() != "Secret" {
		return
	}
	text, ok := u.Object["stringData"].(map[string]any)
	if !ok {
		return
	}
	delete(u.Object, "stringData")
	data, _ := u.Object["data"].(map[string]any)
	if data == nil {
		data = map[string]any{}
	}
	for k, v := range text {
		if s, ok := v.(string); ok {
			data[k] = base64.StdEncoding.EncodeToString([]byte(s))
		}
	}
	if len(data) > 0 {
		u.Object["data"] = data
	}
}

// keepDefaults restores live's values where an atomic list or map differs from
// live only by defaults: the manager owned it, applied the same value last time,
// and all of that value is in live.
func keepDefaults(merged, live, desired, base any, before *fieldpath.Set, now fieldpath.VersionedSet) {
	if now == nil {
		return
	}
	now.Set().Leaves().Iterate(func(p fieldpath.Path) {
		d := at(desired, p)
		if d == nil || isScalar(d) || !before.Has(p) {
			return
		}
		l := at(live, p)
		if reflect.DeepEqual(l, at(merged, p)) || !reflect.DeepEqual(d, at(base, p)) || !Covers(l, d) {
			return
		}
		put(merged, p, l)
	})
}

// Covers reports whether all of d is in l, which may have more fields, and quantities
// in the API server's own form.
func Covers(l, d any) bool {
	switch d := d.(type) {
	case nil:
		return true
	case map[string]any:
		l, ok := l.(map[string]any)
		if !ok {
			return false
		}
		for k, v := range d {
			if !Covers(l[k], v) {
				return false
			}
		}
		return true
	case []any:
		l, ok := l.([]any)
		if !ok || len(l) != len(d) {
			return false
		}
		for i := range d {
			if !Covers(l[i], d[i]) {
				return false
			}
		}
		return true
	}
	if reflect.DeepEqual(l, d) {
		return true
	}
	// The server's canonical form of a quantity.
	x, ok1 := l.(string)
	y, ok2 := d.(string)
	if !ok1 || !ok2 {
		return false
	}
	a, err := resource.ParseQuantity(x)
	if err != nil {
		return false
	}
	b, err := resource.ParseQuantity(y)
	return err == nil && a.Cmp(b) == 0
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// at is the value at p in v, nil if there is none.
func at(v any, p fieldpath.Path) any {
	for _, e := range p {
		switch {
		case e.FieldName != nil:
			m, _ := v.(map[string]any)
			v = m[*e.FieldName]
		default:
			l, _ := v.([]any)
			i := find(l, e)
			if i < 0 {
				return nil
			}
			v = l[i]
		}
		if v == nil {
			return nil
		}
	}
	return v
}

// put replaces the value at p, which is there.
func put(v any, p fieldpath.Path, now any) {
	last := p[len(p)-1]
	switch v := at(v, p[:len(p)-1]).(type) {
	case map[string]any:
		if last.FieldName != nil {
			v[*last.FieldName] = clone(now)
		}
	case []any:
		if i := find(v, last); i >= 0 {
			v[i] = clone(now)
		}
	}
}

// find returns the index of the list item that e identifies, -1 if there is
// none. A key that is missing in an item matches any value: such keys are few,
// and the others distinguish the items.
func find(l []any, e fieldpath.PathElement) int {
	for i, item := range l {
		switch {
		case e.Index != nil:
			if i == *e.Index {
				return i
			}
		case e.Value != nil:
			if value.Equals(value.NewValueInterface(item), *e.Value) {
				return i
			}
		case e.Key != nil:
			m, ok := item.(map[string]any)
			if !ok {
				continue
			}
			match := true
			for _, k := range *e.Key {
				if v, ok := m[k.Name]; ok && !value.Equals(value.NewValueInterface(v), k.Value) {
					match = false
				}
			}
			if match {
				return i
			}
		}
	}
	return -1
}
