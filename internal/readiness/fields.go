package readiness

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// integer returns a number, whichever type it was decoded to.
func integer(obj *unstructured.Unstructured, path ...string) (int64, bool) {
	v, ok, err := unstructured.NestedFieldNoCopy(obj.Object, path...)
	if !ok || err != nil {
		return 0, false
	}
	switch n := v.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case int32:
		return int64(n), true
	case float64:
		return int64(n), true
	}
	return 0, false
}

// count returns a number of pods or of nodes, 0 when absent.
func count(obj *unstructured.Unstructured, path ...string) int {
	n, _ := integer(obj, path...)
	return int(n)
}

// countOr is count with another default.
func countOr(obj *unstructured.Unstructured, fallback int, path ...string) int {
	if n, ok := integer(obj, path...); ok {
		return int(n)
	}
	return fallback
}

func text(obj *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(obj.Object, path...)
	return s
}

func truth(obj *unstructured.Unstructured, path ...string) bool {
	b, _, _ := unstructured.NestedBool(obj.Object, path...)
	return b
}

func items(obj *unstructured.Unstructured, path ...string) []any {
	v, ok, err := unstructured.NestedFieldNoCopy(obj.Object, path...)
	if !ok || err != nil {
		return nil
	}
	s, _ := v.([]any)
	return s
}

// condition is one entry of status.conditions.
type condition struct{ Status, Reason, Message string }

func (c condition) isTrue() bool  { return c.Status == "True" }
func (c condition) isFalse() bool { return c.Status == "False" }

// conditionOf returns the condition of the given type; zero when there is none.
func conditionOf(obj *unstructured.Unstructured, kind string) (condition, bool) {
	for _, item := range items(obj, "status", "conditions") {
		m, ok := item.(map[string]any)
		if !ok || m["type"] != kind {
			continue
		}
		var c condition
		c.Status, _ = m["status"].(string)
		c.Reason, _ = m["reason"].(string)
		c.Message, _ = m["message"].(string)
		return c, true
	}
	return condition{}, false
}
