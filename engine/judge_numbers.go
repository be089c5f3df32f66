package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// overflows are problems of whole numbers beyond 32 bits that the API server
// would store as another number: it cuts them off instead of refusing them.
func overflows(in intended, body, merged *unstructured.Unstructured) []Problem {
	if merged == nil {
		return nil
	}
	var out []Problem
	walkNumbers(body.Object, merged.Object, "", func(path string, want, got int64) {
		out = append(out, newProblem(ProblemInvalid, in.id, fmt.Sprintf("%s is %d, which does not fit: the API server would store %d", path, want, got), fixTemplate, path))
	})
	slices.SortFunc(out, func(a, b Problem) int { return strings.Compare(a.Message, b.Message) })
	return out
}

// walkNumbers calls each for the whole numbers of desired beyond 32 bits that
// have another value in merged. Items of lists are matched by their place, where
// the lists are equally long.
func walkNumbers(desired, merged any, path string, each func(path string, want, got int64)) {
	switch d := desired.(type) {
	case map[string]any:
		m, ok := merged.(map[string]any)
		if !ok {
			return
		}
		for key, want := range d {
			walkNumbers(want, m[key], join(path, key), each)
		}
	case []any:
		m, ok := merged.([]any)
		if !ok || len(m) != len(d) {
			return
		}
		for i, want := range d {
			walkNumbers(want, m[i], fmt.Sprintf("%s[%d]", path, i), each)
		}
	case int64:
		if got, ok := merged.(int64); ok && got != d && (d > math.MaxInt32 || d < math.MinInt32) {
			each(path, d, got)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
