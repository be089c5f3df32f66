package kustomize

import (
	"path"
	"regexp/syntax"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/pattern"
)

// copying notes what a transformer copies, by operations of patches in any of its
// fields and in the files that they name.
func (w *walk) copying(at place, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			w.copying(at, item)
		}
	case []any:
		for _, item := range v {
			w.copying(at, item)
		}
	case string:
		w.transforming = append(w.transforming, copies([]byte(v), nil)...)
		w.transforming = append(w.transforming, copies(w.files[path.Join(at.dir, v)], nil)...)
	}
}

// replacing notes the replacements of a transformer.
func (w *walk) replacing(at place, config []byte) {
	var transformer struct {
		Replacements []types.ReplacementField `json:"replacements"`
	}
	if yaml.Unmarshal(config, &transformer) != nil {
		return // kustomize says so
	}
	for _, r := range transformer.Replacements {
		if r.Path != "" {
			w.transforming = append(w.transforming, replacementsOf(decodeReplacements(w.files[path.Join(at.dir, r.Path)]))...)
		}
		w.transforming = append(w.transforming, replacementsOf([]types.Replacement{r.Replacement})...)
	}
}

// patternKeys are the fields of generators and transformers that may be patterns.
var patternKeys = []string{"name", "namespace", "kind", "group", "version", "labelSelector", "annotationSelector"}

// maxPatterns is the size of all patterns of one transformer.
const maxPatterns = 10_000

// patternsOf adds up the sizes of what may be patterns in a configuration.
func patternsOf(v any, here bool) (size int64) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			is := slices.ContainsFunc(patternKeys, func(k string) bool { return strings.EqualFold(k, key) })
			size = plus(size, patternsOf(item, is))
		}
	case []any:
		for _, item := range v {
			size = plus(size, patternsOf(item, here))
		}
	case string:
		if !here {
			return 0
		}
		if len(v) > maxName {
			return int64(len(v))
		}
		if re, err := syntax.Parse(v, syntax.Perl); err == nil {
			return max(pattern.Size(re)-plainPattern, 0)
		}
	}
	return size
}
