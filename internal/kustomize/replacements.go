package kustomize

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/utils"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// replacement is what multiplies a value: into each of the paths of each object of
// a kind, of all objects where that is "".
type replacement struct {
	key   string
	kind  string
	paths [][]string
	joins bool // it replaces a part of the text there
}

// plainKind is a kind that is no pattern.
var plainKind = regexp.MustCompile(`^[A-Za-z0-9]+$`)

// kindOf returns the kind that a selector asks for; "" for any.
func kindOf(s *types.Selector) string {
	if s == nil || !plainKind.MatchString(s.Kind) {
		return ""
	}
	return s.Kind
}

// count returns how many of so many objects are of a kind, at most.
func (v *values) count(kind string, objects int64) int64 {
	if kind == "" || v.anyKind {
		return objects
	}
	return max(v.kinds[kind], 1)
}

// replacementsOf lists what replacements multiply.
func replacementsOf(all []types.Replacement) (list []replacement) {
	for _, r := range all {
		if r.Source == nil {
			continue
		}
		from := fieldPath(r.Source.FieldPath)
		for _, target := range r.Targets {
			one := replacement{key: from[len(from)-1], kind: kindOf(target.Select), joins: target.Options != nil && target.Options.Delimiter != ""}
			for _, p := range target.FieldPaths {
				one.paths = append(one.paths, fieldPath(p))
			}
			if len(target.FieldPaths) == 0 {
				one.paths = [][]string{fieldPath("")}
			}
			list = append(list, one)
		}
	}
	return list
}

// fieldPath splits a path at its dots, but not in brackets. Its default is that of
// kustomize.
func fieldPath(text string) []string {
	if text == "" {
		return []string{"metadata", "name"}
	}
	return utils.SmarterPathSplitter(text, ".")
}

// apply returns what the replacements add at most, one after the other, to so many
// objects with lists of at most so many items.
func (v *values) apply(all []replacement, objects, longest int64) (added weight) {
	for _, r := range all {
		n := v.count(r.kind, objects)
		size := v.of(r.key)
		for _, at := range r.paths {
			matches := n
			for _, part := range at {
				if part == "*" || strings.HasPrefix(part, "[") {
					matches = times(matches, max(longest, 1))
				}
			}
			added.nodes = plus(added.nodes, times(size.Nodes, matches))
			added.bytes = plus(added.bytes, times(size.Bytes, matches))
			v.replace(at, size, r.joins, matches/max(n, 1))
		}
	}
	return added
}

// replace notes that a value of a size is put at a path, into each of so many
// places of an object.
func (v *values) replace(at []string, size yamlread.Size, joins bool, places int64) {
	last := at[len(at)-1]
	grown := size
	if before, ok := v.byKey[last]; ok && joins {
		grown = yamlread.Size{Nodes: plus(before.Nodes, size.Nodes), Bytes: plus(before.Bytes, size.Bytes)}
	}
	v.put(last, grown)
	for _, above := range slices.Compact(slices.Sorted(slices.Values(at[:len(at)-1]))) {
		before := v.byKey[above]
		v.put(above, yamlread.Size{
			Nodes: plus(before.Nodes, times(size.Nodes, places)), Bytes: plus(before.Bytes, times(size.Bytes, places)),
		})
	}
}

// variables returns what references to variables add at most.
func (v *values) variables(keys []string) (added weight) {
	longest := int64(0)
	for _, key := range keys {
		longest = max(longest, v.of(key).Bytes)
	}
	if len(keys) > 0 {
		added.bytes = times(longest, v.references)
	}
	return added
}

// variablesOf lists where the values of variables are found.
func variablesOf(vars []types.Var) (keys []string) {
	for _, v := range vars {
		at := fieldPath(v.FieldRef.FieldPath)
		keys = append(keys, at[len(at)-1])
	}
	return keys
}

// replace takes replacements of the kustomization, to be weighed with all objects.
func (v *visitor) replace(all []types.Replacement) {
	v.replacements = append(v.replacements, replacementsOf(all)...)
}

// replacementFile is a file of one replacement, or of a list of them. It returns
// the number of its nodes.
func (v *visitor) replacementFile(ref *string) int64 {
	nodes := v.yaml(ref)
	if v.err == nil {
		v.replace(decodeReplacements(v.files[path.Join(v.at.dir, *ref)]))
	}
	return nodes
}

func decodeReplacements(text []byte) []types.Replacement {
	var one types.Replacement
	var many []types.Replacement
	if yaml.Unmarshal(text, &many) == nil {
		return many
	}
	if yaml.Unmarshal(text, &one) != nil {
		return nil // kustomize says so
	}
	return []types.Replacement{one}
}

// multiply weighs what replacements and variables make of the objects.
func (v *visitor) multiply() {
	if len(v.replacements) > 0 || len(v.variables) > 0 {
		v.add(v.values.clone().multiplied(v.replacements, v.variables, v.total))
	}
}

// multiplied returns what replacements and variables add to so much.
func (v *values) multiplied(replacements []replacement, variables []string, to weight) weight {
	added := v.apply(replacements, to.objects, to.longest)
	more := v.variables(variables)
	added.bytes = plus(added.bytes, more.bytes)
	return added
}
