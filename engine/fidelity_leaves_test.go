package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// This compares objects in another way than package diff, so that a test can
// compare the two: an object is a set of leaves, each with its path.

// mergeKeys are the keys of list items, by the last two names of the path to the
// list; "=" is a set.
var mergeKeys = map[string][]string{
	"spec.containers": {"name"}, "containers.env": {"name"}, "containers.ports": {"containerPort", "protocol"},
	"containers.volumeMounts": {"mountPath"}, "spec.volumes": {"name"}, "spec.hostAliases": {"ip"}, "spec.ports": {"port", "protocol"},
	"spec.initContainers": {"name"}, "initContainers.env": {"name"}, "spec.imagePullSecrets": {"name"}, ".secrets": {"name"},
	"spec.topologySpreadConstraints": {"topologyKey", "whenUnsatisfiable"},
	"spec.routes":                    {"host", "path"}, "routes.backends": {"name"}, "spec.numbers": {"="},
	"spec.parts": {"id"}, "spec.keyed": {"id"}, "spec.tags": {"="}, "metadata.finalizers": {"="},
}

// leaves adds the leaves at and below path to out. A list that merges by key has
// one more, for its order.
func leaves(out map[string]any, path string, names []string, v any) {
	switch v := v.(type) {
	case nil:
	case map[string]any:
		if len(v) == 0 {
			out[path] = "{}"
		}
		for k, e := range v {
			leaves(out, below(path, k), append(names[:len(names):len(names)], k), e)
		}
	case []any:
		if len(v) == 0 {
			out[path] = "[]"
		}
		keys := keysOfList(names)
		var order []string
		for i, e := range v {
			at := fmt.Sprintf("[%d]", i)
			switch {
			case len(keys) > 0 && keys[0] == "=":
				at = "[=" + scalar(e) + "]"
			case len(keys) > 0:
				at = itemOf(keys, e)
				order = append(order, at)
			}
			leaves(out, path+at, names, e)
		}
		if order != nil {
			out[path+" in order"] = order
		}
	default:
		out[path] = scalar(v)
	}
}

func keysOfList(names []string) []string {
	last := append([]string{""}, names...)
	return mergeKeys[strings.Join(last[len(last)-2:], ".")]
}

// twiceIn are the paths of lists that merge by key, at and below path, in which
// two items have the same keys.
func twiceIn(path string, names []string, v any) (out []string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			out = append(out, twiceIn(below(path, k), append(names[:len(names):len(names)], k), e)...)
		}
	case []any:
		keys := keysOfList(names)
		if len(keys) == 0 || keys[0] == "=" {
			return nil
		}
		seen := map[string]bool{}
		for _, e := range v {
			at := itemOf(keys, e)
			if seen[at] {
				return []string{path}
			}
			seen[at] = true
			out = append(out, twiceIn(path+at, names, e)...)
		}
	}
	return out
}

func below(path, k string) string {
	for _, r := range k {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return path + "[" + strconv.Quote(k) + "]"
		}
	}
	if path == "" {
		return k
	}
	return path + "." + k
}

func itemOf(keys []string, item any) string {
	m, _ := item.(map[string]any)
	var parts []string
	for _, k := range keys {
		v := m[k]
		if v == nil && k == "protocol" {
			v = "TCP"
		}
		parts = append(parts, k+"="+scalar(v))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func scalar(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// namesOf are the names of fields in a path, as leaves counts them.
func namesOf(path string) []string {
	var names []string
	for path != "" {
		switch {
		case path[0] == '.':
			path = path[1:]
		case path[0] == '[':
			depth, quoted, i := 0, false, 0
			for i = range path {
				switch {
				case path[i] == '"' && path[i-1] != '\\':
					quoted = !quoted
				case quoted:
				case path[i] == '[':
					depth++
				case path[i] == ']':
					depth--
				}
				if depth == 0 {
					break
				}
			}
			if in := path[1:i]; in[0] == '"' {
				name, err := strconv.Unquote(in)
				if err != nil {
					panic(err)
				}
				names = append(names, name)
			}
			path = path[i+1:]
		default:
			n := strings.IndexAny(path, ".[")
			if n < 0 {
				n = len(path)
			}
			names = append(names, path[:n])
			path = path[n:]
		}
	}
	return names
}

// difference is an object's leaves before and after.
type difference map[string][2]any

func (d difference) String() string {
	var lines []string
	for _, path := range slices.Sorted(maps.Keys(d)) {
		lines = append(lines, fmt.Sprintf("\n    %s: %v → %v", path, d[path][0], d[path][1]))
	}
	return strings.Join(lines, "")
}

func between(before, after map[string]any) difference {
	d := difference{}
	for path, v := range before {
		if !equalLeaves(v, after[path]) {
			d[path] = [2]any{v, after[path]}
		}
	}
	for path, v := range after {
		if before[path] == nil {
			d[path] = [2]any{nil, v}
		}
	}
	// A value that became empty is shown by what was removed, and the reverse.
	for path, v := range d {
		isEmpty := func(v any) bool { return v == "{}" || v == "[]" }
		if isEmpty(v[1]) && hasBelow(before, path) || isEmpty(v[0]) && hasBelow(after, path) {
			delete(d, path)
		}
	}
	// If items are added or removed, the order is about them.
	for path, v := range d {
		if !strings.HasSuffix(path, " in order") {
			continue
		}
		a, _ := v[0].([]string)
		b, _ := v[1].([]string)
		shared := func(x, y []string) []string {
			return slices.DeleteFunc(slices.Clone(x), func(s string) bool { return !slices.Contains(y, s) })
		}
		if d[path] = [2]any{shared(a, b), shared(b, a)}; slices.Equal(shared(a, b), shared(b, a)) {
			delete(d, path)
		}
	}
	return d
}

func hasBelow(all map[string]any, path string) bool {
	for p := range all {
		if rest, ok := strings.CutPrefix(p, path); ok && rest != "" && (rest[0] == '.' || rest[0] == '[') {
			return true
		}
	}
	return false
}

func equalLeaves(a, b any) bool {
	x, ok := a.([]string)
	y, ok2 := b.([]string)
	if ok && ok2 {
		return slices.Equal(x, y)
	}
	return !ok && !ok2 && a == b
}

// observed is what differs between two states of an object, apart from what
// the API server and the controllers write by themselves.
func observed(before, after map[string]any) difference {
	clean := func(o map[string]any) map[string]any {
		out := map[string]any{}
		for k, v := range o {
			switch k {
			case "apiVersion", "kind", "status":
				continue
			case "metadata":
				m := maps.Clone(v.(map[string]any))
				for _, k := range []string{"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "name", "namespace", "deletionTimestamp", "deletionGracePeriodSeconds"} {
					delete(m, k)
				}
				if a, ok := m["annotations"].(map[string]any); ok {
					a = maps.Clone(a)
					delete(a, "deployment.kubernetes.io/revision")
					delete(a, "deprecated.daemonset.template.generation")
					if m["annotations"] = a; len(a) == 0 {
						delete(m, "annotations")
					}
				}
				v = m
			}
			leaves(out, k, []string{k}, v)
		}
		return out
	}
	return between(clean(before), clean(after))
}

// reportedBy returns what differs by the fields of a change, and which of it is
// hidden.
func reportedBy(c diff.Change) (d difference, secrets map[string]bool) {
	before, after, secrets := map[string]any{}, map[string]any{}, map[string]bool{}
	for _, f := range c.Fields {
		names := namesOf(f.Path)
		if f.Reordered {
			live, desired := []string{}, []string{}
			for _, v := range f.Live.([]any) {
				live = append(live, "["+v.(string)+"]")
			}
			for _, v := range f.Desired.([]any) {
				desired = append(desired, "["+v.(string)+"]")
			}
			before[f.Path+" in order"], after[f.Path+" in order"] = live, desired
			continue
		}
		b, a := map[string]any{}, map[string]any{}
		leaves(b, f.Path, names, f.Live)
		leaves(a, f.Path, names, f.Desired)
		maps.Copy(before, b)
		maps.Copy(after, a)
		if f.Secret {
			for p := range between(b, a) {
				secrets[p] = true
			}
		}
	}
	return between(before, after), secrets
}
