package diff

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
)

// maxDepth bounds the nesting of values, so that a hostile or cyclic one ends
// in an error. It is far above what the API server accepts.
const maxDepth = 1000

// plain returns a deep copy of v with JSON's own types only: nil, bool, string,
// int64, float64 (never integral, unless beyond int64), []any and
// map[string]any. Null fields of maps are dropped, as the API server does.
func plain(v any) (any, error) { return plainAt(v, 0) }

func plainAt(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("value is nested more than %d levels deep", maxDepth)
	}
	switch v := v.(type) {
	case nil, bool, string, int64, Unknown:
		return v, nil
	case int:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case float64:
		return plainFloat(v)
	case float32:
		return plainFloat(float64(v))
	case uint64:
		if v > math.MaxInt64 {
			return float64(v), nil
		}
		return int64(v), nil
	case json.Number:
		return plainNumber(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			c, err := plainAt(e, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", k, err)
			}
			if c != nil {
				out[k] = c
			}
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			c, err := plainAt(e, depth+1)
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			out[i] = c
		}
		return out, nil
	}
	// Anything else (typed maps and slices, structs) goes through JSON once.
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("value of type %T is not JSON: %w", v, err)
	}
	return decode(data)
}

func plainFloat(f float64) (any, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, fmt.Errorf("the number %v is not valid in JSON", f)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<63 {
		return int64(f), nil
	}
	return f, nil
}

func plainNumber(n json.Number) (any, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i, nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("number %q: %w", n, err)
	}
	return plainFloat(f)
}

// equal reports whether x and y are equivalent at the current path of c. The
// order of lists counts.
func (c *comparer) equal(x, y any) bool {
	switch x := x.(type) {
	case map[string]any:
		y, ok := y.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok {
				return false
			}
			c.enter(step{kind: stepField, name: k})
			same := c.equal(v, w)
			c.leave()
			if !same {
				return false
			}
		}
		return true
	case []any:
		y, ok := y.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			c.enter(step{kind: stepIndex, index: i})
			same := c.equal(x[i], y[i])
			c.leave()
			if !same {
				return false
			}
		}
		return true
	}
	if scalarEqual(x, y) {
		return true
	}
	if x == nil || y == nil || !isScalar(y) || !c.node().Quantity {
		return false
	}
	return quantityEqual(x, y)
}

func isScalar(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// scalarEqual compares scalars; numbers by value, whatever their Go type.
func scalarEqual(x, y any) bool {
	if !isScalar(x) || !isScalar(y) {
		return false
	}
	if x == y {
		return true
	}
	a, ok := number(x)
	if !ok {
		return false
	}
	b, ok := number(y)
	return ok && a == b
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case int:
		return float64(v), true
	}
	return 0, false
}

// quantityEqual compares as resource.Quantity does: "1000m" equals "1" equals 1.
func quantityEqual(x, y any) bool {
	a, err := resource.ParseQuantity(fmt.Sprint(x))
	if err != nil {
		return false
	}
	b, err := resource.ParseQuantity(fmt.Sprint(y))
	return err == nil && a.Cmp(b) == 0
}
