package stack

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// Output is a value that a member has: see Field, Value, Notes and Func. It is a
// string, unless Int, Bool or Like says otherwise.
type Output struct {
	kind   outputKind
	member string
	object diff.Object
	path   string
	from   []Output
	make   func(ctx context.Context, values []any) (any, error)
	// first and second are examples of the value; nil: texts of no meaning.
	first, second any
}

type outputKind int

const (
	outputNone outputKind = iota
	outputField
	outputValue
	outputNotes
	outputFunc
)

// Field is a field of a live object: the address of a LoadBalancer, the volume of a
// claim, a password in a generated Secret. The object is one of the member's
// release, or one that a controller makes for it. An empty namespace is that of
// the release, an empty version the one that the API server prefers; path is in
// the notation of diff.Field. What a Secret holds is hidden in plans and errors
// wherever a member renders it.
func Field(member string, object diff.Object, path string) Output {
	return Output{kind: outputField, member: member, object: object, path: path}
}

// Value is a value that the member's release is given, by its Values or Inputs, at
// a path as in Inputs. The defaults of its chart are not among them.
func Value(member, path string) Output {
	return Output{kind: outputValue, member: member, path: path}
}

// Notes is the text that the member's chart prints, as it is stored.
func Notes(member string) Output { return Output{kind: outputNotes, member: member} }

// Func is what a function makes of other outputs, whose values it gets in order.
// It must return the same for the same values. It is called only once all of them
// are known; until then its result is unknown.
// What it makes of a secret is hidden as that is; a panic is an *OutputError.
func Func(make func(ctx context.Context, values []any) (any, error), from ...Output) Output {
	return Output{kind: outputFunc, make: make, from: slices.Clone(from)}
}

// Int declares that the output is an integer. A number like 3.0 is one, too.
func (o Output) Int() Output { return o.Like(int64(20001), int64(30002)) }

// Bool declares that the output is true or false.
func (o Output) Bool() Output { return o.Like(true, false) }

// Like gives two different examples of the output, which say its type. While the
// output is unknown the chart is rendered with each of them, and what differs is
// what depends on it: for a chart that validates or takes apart the value they must
// have its shape, such as "192.0.2.1" and "198.51.100.22". They are never shown.
func (o Output) Like(first, second any) Output {
	o.first, o.second = first, second
	return o
}

// String returns what the output is.
func (o Output) String() string {
	switch o.kind {
	case outputField:
		return fmt.Sprintf("%s: %s %s", o.member, o.object, o.path)
	case outputValue:
		return fmt.Sprintf("%s: value %s", o.member, o.path)
	case outputNotes:
		return o.member + ": notes"
	case outputFunc:
		texts := make([]string, len(o.from))
		for i, f := range o.from {
			texts[i] = f.String()
		}
		return "function of " + strings.Join(texts, ", ")
	}
	return "none"
}

// members are those that the output comes from.
func (o Output) members() []string {
	if o.kind != outputFunc {
		return []string{o.member}
	}
	var out []string
	for _, f := range o.from {
		out = append(out, f.members()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (o Output) validate() error {
	invalid := func(format string, args ...any) error {
		return &OutputError{o.String(), fmt.Errorf("%w: %s", engine.ErrInvalidOptions, fmt.Sprintf(format, args...))}
	}
	switch o.kind {
	case outputNone:
		return invalid("make it by Field, Value, Notes or Func")
	case outputField:
		if o.object.Kind == "" || o.object.Name == "" {
			return invalid("the object has no kind or no name")
		}
		if o.path == "" {
			return invalid("the path of the field is empty")
		}
		if _, _, err := diff.Lookup(nil, o.path); err != nil {
			return invalid("%v", err)
		}
	case outputValue:
		if _, err := splitPath(o.path); err != nil {
			return &OutputError{o.String(), err}
		}
	case outputFunc:
		if o.make == nil {
			return invalid("the function is nil")
		}
		for _, f := range o.from {
			if err := f.validate(); err != nil {
				return err
			}
		}
	}
	if (o.first == nil) != (o.second == nil) {
		return invalid("one of the examples is nil")
	}
	if o.first != nil && reflect.DeepEqual(o.first, o.second) {
		return invalid("both examples are the same")
	}
	if o.first != nil && typeOf(o.first) != typeOf(o.second) {
		return invalid("the examples are of different types: %s and %s", typeOf(o.first), typeOf(o.second))
	}
	return nil
}

// typed returns a value as the output's type, or ErrOutputType.
func (o Output) typed(v any) (any, error) {
	want := "string"
	if o.first != nil {
		want = typeOf(o.first)
	}
	switch n := v.(type) {
	case float64: // JSON has one type of number
		if want == "int" && math.Abs(n) <= maxExact && n == math.Trunc(n) {
			return int64(n), nil
		}
	case int64:
		if want == "number" && -maxExact <= n && n <= maxExact {
			return float64(n), nil
		}
	}
	if is := typeOf(v); is != want {
		return nil, &OutputError{o.String(), fmt.Errorf("%w: it is a %s, declared is %s", ErrOutputType, is, want)}
	}
	return v, nil
}

// maxExact bounds the whole numbers that are the same as int64 and as float64.
const maxExact = 1 << 53

func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "bool"
	case int, int64, int32:
		return "int"
	case float64:
		return "number"
	case []any:
		return "list"
	case map[string]any:
		return "map"
	}
	return fmt.Sprintf("%T", v)
}
