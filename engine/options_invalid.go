package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// invalid returns an error that wraps ErrInvalidOptions, about one field.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: %s %s", ErrInvalidOptions, field, fmt.Sprintf(format, args...))
}

// oneOf returns an error that lists the accepted values unless v is one of
// them. The first is the default, which the empty value stands for.
func oneOf[T ~string](field string, v T, accepted ...T) error {
	if slices.Contains(accepted, v) {
		return nil
	}
	texts := make([]string, len(accepted))
	for i, a := range accepted {
		texts[i] = strconv.Quote(string(a))
		if a == "" {
			texts[i] += " (the default)"
		}
	}
	return invalid(field, "is %q; accepted are %s", string(v), strings.Join(texts, ", "))
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }
