package engine

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// renamed is an item of a list that another manager has made of an item of the
// release, by changing what identifies it. An apply adds the item of the release
// again, and the other one stays beside it.
type renamed struct {
	item, was fieldpath.Path
	managers  []string
}

// findRenamed finds such items of the live object.
func (j *judge) findRenamed(in intended) []renamed {
	if in.base == nil || in.unwritten {
		return nil
	}
	schema := in.schema
	if schema == nil {
		schema = diff.Builtin()
	}
	r := &renames{j: j, in: in, schema: schema}
	r.walk(nil, nil, in.body.Object, in.base.Object, in.live.Object)
	return r.found
}

type renames struct {
	j      *judge
	in     intended
	schema diff.Schema
	found  []renamed
}

// walk looks for renamed items of the lists below a path; names is the path as
// the schema has it.
func (r *renames) walk(path fieldpath.Path, names []string, desired, base, live any) {
	switch d := desired.(type) {
	case map[string]any:
		b, _ := base.(map[string]any)
		l, _ := live.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(d)) {
			if b[key] != nil && l[key] != nil && !(len(path) == 0 && key == "metadata") {
				r.walk(pathBelow(path, pathOf(key)...), append(names[:len(names):len(names)], key), d[key], b[key], l[key])
			}
		}
	case []any:
		b, _ := base.([]any)
		l, _ := live.([]any)
		node := r.schema.Node(r.in.id, names)
		if len(node.Keys) == 0 && !node.Set {
			return
		}
		desired, base, live := itemsOf(node, d), itemsOf(node, b), itemsOf(node, l)
		r.list(path, node, desired, base, live)
		for _, item := range desired.list {
			at, isLive := live.index[item.id]
			was, hasBase := base.index[item.id]
			if isLive && hasBase {
				r.walk(pathBelow(path, item.element), append(names[:len(names):len(names)], "[]"), item.value, b[was], l[at])
			}
		}
	}
}

// list pairs the items of one list that the release applied and that are not live
// with those that are live instead.
func (r *renames) list(path fieldpath.Path, node diff.Node, desired, base, live items) {
	taken := map[int]bool{}
	for was, item := range base.list {
		if live.has(item) || !desired.has(item) {
			continue
		}
		for at, other := range live.list {
			if taken[at] || base.has(other) || desired.has(other) {
				continue
			}
			if !(len(live.list) == len(base.list) && at == was) && !hasRest(node, other.value, item.value) {
				continue
			}
			managers := r.j.othersAt(r.in.live, pathBelow(path, other.element))
			if len(managers) == 0 {
				continue
			}
			taken[at] = true
			r.found = append(r.found, renamed{pathBelow(path, other.element), pathBelow(path, item.element), managers})
			break
		}
	}
}

// hasRest reports whether an item has all that another one has beside its keys,
// if that is anything.
func hasRest(node diff.Node, item, other any) bool {
	have, _ := item.(map[string]any)
	want, _ := other.(map[string]any)
	rest := false
	for key, v := range want {
		if slices.Contains(node.Keys, key) {
			continue
		}
		if rest = true; !merge.Covers(have[key], v) {
			return false
		}
	}
	return rest
}

// elementOf identifies an item of a list in a path.
func elementOf(node diff.Node, item any) fieldpath.PathElement {
	if node.Set {
		v := value.NewValueInterface(item)
		return fieldpath.PathElement{Value: &v}
	}
	m, _ := item.(map[string]any)
	keys := value.FieldList{}
	for _, key := range node.Keys {
		v := m[key]
		if v == nil {
			v = node.Defaults[key]
		}
		keys = append(keys, value.Field{Name: key, Value: value.NewValueInterface(v)})
	}
	keys.Sort()
	return fieldpath.PathElement{Key: &keys}
}

// items are those of a list, by what identifies them: keys that an item lacks have
// their defaults.
type items struct {
	list  []item
	index map[string]int // of the first of each, by id
}

type item struct {
	element fieldpath.PathElement
	id      string
	value   any
}

func itemsOf(node diff.Node, list []any) items {
	out := items{make([]item, len(list)), make(map[string]int, len(list))}
	for i, v := range list {
		e := elementOf(node, v)
		out.list[i] = item{e, e.String(), v}
		if _, ok := out.index[out.list[i].id]; !ok {
			out.index[out.list[i].id] = i
		}
	}
	return out
}

// has reports whether an item is among these.
func (l items) has(i item) bool {
	_, ok := l.index[i.id]
	return ok
}

// withoutRenamed removes renamed items where the policy takes them, and reports
// those that it leaves: to their managers, or as conflicts.
func (j *judge) withoutRenamed(in intended, f prediction) (prediction, *unstructured.Unstructured) {
	to := f.merged
	for _, r := range j.findRenamed(in) {
		path := diff.FormatPath(r.item)
		if slices.ContainsFunc(r.managers, func(m string) bool { return j.settle(in.object, m, path) == Yield }) {
			continue
		}
		if to == f.merged {
			to = to.DeepCopy()
		}
		if !removeItem(to.Object, r.item) {
			continue
		}
		for _, m := range r.managers {
			f.notes = append(f.notes, fmt.Sprintf("%s is removed: it is %s, renamed by %s", path, diff.FormatPath(r.was), m))
			if j.settle(in.object, m, path) == Take {
				f.force = f.conflict == nil
				continue
			}
			conflict := conflictOf{}
			if f.conflict != nil {
				conflict = conflictOf{slices.Clone(f.conflict.managers), slices.Clone(f.conflict.fields)}
			}
			f.conflict = &conflictOf{appendNew(conflict.managers, m), appendNew(conflict.fields, path)}
		}
	}
	if f.conflict != nil {
		f.force = false
	}
	return f, to
}

// removeItem removes the item of a list at a path; false if it is not there.
func removeItem(object map[string]any, p fieldpath.Path) bool {
	at := p[:len(p)-1]
	list, _ := valueAt(object, at).([]any)
	i := indexOf(list, p[len(p)-1])
	if i < 0 {
		return false
	}
	holder, _ := valueAt(object, at[:len(at)-1]).(map[string]any)
	holder[*at[len(at)-1].FieldName] = slices.Delete(slices.Clone(list), i, i+1)
	return true
}
