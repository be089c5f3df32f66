package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// maxOverwrites bounds how many places of one object are overwritten in turn:
// the API server may complain about the next one only when the first is right.
const maxOverwrites = 4

// overwrite finds a way to write a live object whose apply the API server
// refuses because of what stands beside the release's fields: a default that
// excludes what is desired now, or what another manager has put into the same
// list or beside a member of a union. The list or mapping that is complained
// about becomes as desired, by a patch before the apply; where it is already,
// what others have set beside it is removed.
//
// What other managers own there is overwritten with Force, and where drift is
// undone; otherwise f says whose it is.
func (j *judge) overwrite(ctx context.Context, in intended, f prediction) (prediction, error) {
	if in.live == nil || f.merged == nil || f.refusal.immutable != nil {
		return f, nil
	}
	target, refused := f.merged, f.refusal
	var places, removed []string
	for range maxOverwrites {
		fields := invalidFields(refused)
		if len(fields) == 0 {
			return f, nil
		}
		next := target.DeepCopy()
		changed := false
		for _, field := range fields {
			path := splitPath(field)
			if paths := j.removeOthers(in, next.Object, path); len(paths) > 0 {
				removed, changed = append(removed, paths...), true
			} else if place := becomeDesired(next.Object, f.body.Object, path); place != "" {
				places, changed = appendNew(places, place), true
			} else {
				for depth := len(path) - 1; depth >= 0 && len(paths) == 0; depth-- {
					paths = j.removeOthers(in, next.Object, path[:depth:depth])
				}
				removed, changed = append(removed, paths...), changed || len(paths) > 0
			}
		}
		if !changed {
			return f, nil
		}
		target = next
		merged, err := j.tryPatch(ctx, in, target)
		if err == nil {
			return j.overwritten(in, f, places, removed, target, merged), nil
		}
		if refused = refusalOf(in.id, true, err, j.redactor); refused.immutable != nil {
			return f, nil
		}
	}
	return f, nil
}

// overwritten is the prediction of an object that is patched into target before
// it is applied, if that takes nothing from other managers that it may not.
func (j *judge) overwritten(in intended, f prediction, places, removed []string, target, merged *unstructured.Unstructured) prediction {
	var others []string
	for _, place := range slices.Concat(places, removed) {
		for _, m := range j.managersWithin(in.live, place) {
			others = appendNew(others, m)
		}
	}
	if len(others) > 0 && !j.policy.force && !j.mode.undoesDrift() {
		for i := range f.refusal.problems {
			if p := &f.refusal.problems[i]; p.Kind == ProblemInvalid {
				p.Hint = fmt.Sprintf("%s has changed %s so that the release's values do not fit: undo that, correct the drift, or deploy with Force, which makes it as desired", strings.Join(others, ", "), strings.Join(slices.Concat(places, removed), ", "))
			}
		}
		return f
	}
	var notes []string
	if len(places) > 0 {
		notes = append(notes, strings.Join(places, ", ")+" is overwritten as a whole")
	}
	if len(removed) > 0 {
		notes = append(notes, strings.Join(removed, ", ")+" is removed, because it excludes what is desired")
	}
	note := strings.Join(notes, "; ")
	if len(others) > 0 {
		note += ", with what was set by " + strings.Join(others, ", ")
	}
	f.notes = append(f.notes, note)
	f.refusal.problems = slices.DeleteFunc(slices.Clone(f.refusal.problems), func(p Problem) bool { return p.Kind == ProblemInvalid })
	f.merged, f.confirmed, f.proven, f.force, f.conflict = merged, true, true, true, nil
	f.overwrite = target
	return f
}

// managersWithin are the managers, other than the release's own and the API
// server, that own anything at a path or below it.
func (j *judge) managersWithin(live *unstructured.Unstructured, path string) []string {
	former := append(j.formerManagers(live), j.manager)
	var out []string
	for _, e := range live.GetManagedFields() {
		if e.Subresource == "" && !slices.Contains(former, e.Manager) && ownsWithin(e, splitPath(path)) {
			out = appendNew(out, e.Manager)
		}
	}
	return out
}

// ownsWithin reports whether an entry of managedFields has anything at a path,
// of which only the names of fields count: items of lists have other keys there.
func ownsWithin(e metav1.ManagedFieldsEntry, path []string) bool {
	if e.FieldsV1 == nil {
		return false
	}
	var fields map[string]any
	if err := json.Unmarshal(e.FieldsV1.GetRawBytes(), &fields); err != nil {
		return false
	}
	return hasPath(fields, path)
}

func hasPath(fields map[string]any, path []string) bool {
	if len(path) == 0 {
		return true
	}
	if isIndex(path[0]) { // any item
		for key, item := range fields {
			item, _ := item.(map[string]any)
			if !strings.HasPrefix(key, "f:") && key != "." && hasPath(item, path[1:]) {
				return true
			}
		}
		return false
	}
	field, ok := fields["f:"+path[0]].(map[string]any)
	return ok && hasPath(field, path[1:])
}

// invalidFields are the fields that the API server finds invalid.
func invalidFields(r refusal) []string {
	var out []string
	for _, p := range r.problems {
		if p.Kind == ProblemInvalid {
			out = append(out, p.Fields...)
		}
	}
	return out
}

var pathPart = regexp.MustCompile(`[^.\[\]]+|\[[^\]]*\]`)

// splitPath splits a path as the API server writes it, such as
// spec.ports[1].name, into names and indices in brackets.
func splitPath(path string) []string { return pathPart.FindAllString(path, -1) }

func isIndex(part string) bool { return strings.HasPrefix(part, "[") }

// becomeDesired makes the innermost list on the way to a field as desired, or,
// where there is none, the mapping that holds the field. It returns the place
// that was changed; empty: nothing, or it is as desired.
func becomeDesired(have, desired map[string]any, path []string) string {
	place := len(path) - 1 // the mapping that holds the field
	for i, part := range path {
		if isIndex(part) {
			place = i // the list
		}
	}
	if place <= 0 || path[0] == "metadata" || path[0] == "status" {
		return ""
	}
	value, ok := lookUp(desired, have, path[:place])
	if !ok || !setAt(have, path[:place], runtime.DeepCopyJSONValue(value)) {
		return ""
	}
	return joinPath(path[:place])
}

// removeOthers removes what other managers have set and the manifest lacks from a
// mapping: the API server complains about the mapping of which two fields exclude
// each other, or about one of them. It returns the paths that were removed.
func (j *judge) removeOthers(in intended, have map[string]any, path []string) []string {
	if n := len(path); n > 0 && (path[0] == "metadata" || path[0] == "status" || isIndex(path[n-1])) {
		return nil // the items of a list are replaced with it
	}
	var h any = have
	for _, part := range path {
		h = below(h, part)
	}
	d, _ := lookUp(in.desired.Object, have, path)
	held, isMap := h.(map[string]any)
	wanted, stays := d.(map[string]any)
	if !isMap || !stays {
		return nil
	}
	var removed []string
	for _, key := range slices.Sorted(maps.Keys(held)) {
		_, wants := wanted[key]
		if wants || len(path) == 0 && (key == "metadata" || key == "status") {
			continue
		}
		if p := joinPath(append(path[:len(path):len(path)], key)); len(j.managersWithin(in.live, p)) > 0 {
			delete(held, key)
			removed = append(removed, p)
		}
	}
	return removed
}

// lookUp finds in desired what is at a path of have: items of lists are found by
// their name, where they have one, since their places may differ.
func lookUp(desired, have any, path []string) (any, bool) {
	for _, part := range path {
		if !isIndex(part) {
			d, ok := desired.(map[string]any)
			h, _ := have.(map[string]any)
			if !ok || d[part] == nil {
				return nil, false
			}
			desired, have = d[part], h[part]
			continue
		}
		d, ok := desired.([]any)
		h, _ := have.([]any)
		i, err := strconv.Atoi(strings.Trim(part, "[]"))
		if !ok || err != nil || i < 0 || i >= len(h) {
			return nil, false
		}
		at := slices.IndexFunc(d, func(v any) bool { return nameOf(v) != "" && nameOf(v) == nameOf(h[i]) })
		if at < 0 {
			if at = i; at >= len(d) || nameOf(h[i]) != "" {
				return nil, false
			}
		}
		desired, have = d[at], h[i]
	}
	return desired, true
}

// setAt replaces the value at a path; false if it is not there, or equal.
func setAt(have any, path []string, value any) bool {
	last := path[len(path)-1]
	for _, part := range path[:len(path)-1] {
		if have = below(have, part); have == nil {
			return false
		}
	}
	if old := below(have, last); jsonEqual(old, value) {
		return false
	}
	switch have := have.(type) {
	case map[string]any:
		have[last] = value
		return true
	case []any:
		if i, err := strconv.Atoi(strings.Trim(last, "[]")); err == nil && i >= 0 && i < len(have) {
			have[i] = value
			return true
		}
	}
	return false
}

// below is one part of a path further down; nil: nothing is there.
func below(v any, part string) any {
	switch v := v.(type) {
	case map[string]any:
		return v[part]
	case []any:
		if i, err := strconv.Atoi(strings.Trim(part, "[]")); err == nil && i >= 0 && i < len(v) {
			return v[i]
		}
	}
	return nil
}

func joinPath(path []string) string {
	var b strings.Builder
	for i, part := range path {
		if i > 0 && !isIndex(part) {
			b.WriteByte('.')
		}
		b.WriteString(part)
	}
	return b.String()
}
