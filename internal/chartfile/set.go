package chartfile

import (
	"fmt"

	"helm.sh/helm/v3/pkg/strvals"
)

// SetKind is a form of values expression, by the flag of the helm command.
type SetKind string

// The forms. SetFile's values are paths, read through the reader given.
const (
	Set        SetKind = "--set"
	SetString  SetKind = "--set-string"
	SetJSON    SetKind = "--set-json"
	SetFile    SetKind = "--set-file"
	SetLiteral SetKind = "--set-literal"
)

// ApplySet changes dest, which must not be shared, by an expression. The reader
// is needed for [SetFile] only.
func ApplySet(kind SetKind, expr string, dest map[string]any, read func(path string) ([]byte, error)) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("invalid expression: %v", r)
		}
	}()
	switch kind {
	case Set:
		return strvals.ParseInto(expr, dest)
	case SetString:
		return strvals.ParseIntoString(expr, dest)
	case SetJSON:
		return strvals.ParseJSON(expr, dest)
	case SetLiteral:
		return strvals.ParseLiteralInto(expr, dest)
	case SetFile:
		return strvals.ParseIntoFile(expr, dest, func(path []rune) (any, error) {
			data, err := read(string(path))
			return string(data), err
		})
	}
	return fmt.Errorf("unknown form %q", kind)
}
