package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Layer is one source of values. Its makers do nothing but remember their
// arguments: files are read, and errors reported, by [MergeValues].
type Layer struct {
	name    string
	kind    layerKind
	set     chartfile.SetKind
	content *hidden[layerContent]
	// optional: the file need not exist.
	optional bool
}

// layerContent is what a layer sets.
type layerContent struct {
	text []byte
	m    map[string]any
	// origins are those of values that were merged before.
	origins *origins
}

// String returns the name of the layer, which has none of its values.
func (l Layer) String() string { return clean.Line("layer " + l.name) }

// GoString returns the type and the name of the layer.
func (l Layer) GoString() string { return "render.Layer{ " + l.String() + " }" }

// Format writes [Layer.String] for every verb.
func (l Layer) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, l.String()) }

// MarshalJSON writes [Layer.String]: a layer is not stored, the [Values] made of
// it are.
func (l Layer) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

type layerKind int

const (
	layerNone layerKind = iota
	layerFile
	layerYAML
	layerMap
	layerSet
	layerValues
)

// FromFile is a values file, as with helm's --values. The path is one of the
// operating system's.
func FromFile(path string) Layer { return Layer{kind: layerFile, name: path} }

// FromFileIfExists is as [FromFile], and no values at all if there is no such file.
func FromFileIfExists(path string) Layer {
	return Layer{kind: layerFile, name: path, optional: true}
}

// FromYAML is the text of a values file; name is for origins and errors.
func FromYAML(name string, data []byte) Layer {
	return Layer{kind: layerYAML, name: name, content: hide(layerContent{text: data})}
}

// FromMap is values made by a program: maps with string keys, slices, strings,
// numbers, booleans and nil; other types are refused by [MergeValues], which
// copies the map. Name is for origins and errors.
func FromMap(name string, m map[string]any) Layer {
	return Layer{kind: layerMap, name: name, content: hide(layerContent{m: m})}
}

// FromValues is values that were merged before, with their origins.
func FromValues(v Values) Layer {
	if v.data == nil {
		return Layer{}
	}
	return Layer{kind: layerValues, name: "values", content: hide(layerContent{m: v.merged(), origins: v.origins})}
}

// FromSet is an expression as of helm's --set: "a.b=1,list[0]=x,c={x,y},d=null".
func FromSet(expr string) Layer { return fromSet(chartfile.Set, expr) }

// FromSetString is an expression whose values are all strings, as of helm's
// --set-string.
func FromSetString(expr string) Layer { return fromSet(chartfile.SetString, expr) }

// FromSetJSON is an expression whose values are JSON, as of helm's --set-json:
// `a.b={"c":[1,2]}`.
func FromSetJSON(expr string) Layer { return fromSet(chartfile.SetJSON, expr) }

// FromSetFile is an expression whose values are paths of files, the contents of
// which become strings, as of helm's --set-file.
func FromSetFile(expr string) Layer { return fromSet(chartfile.SetFile, expr) }

// FromSetLiteral is an expression "path=text" whose text is taken as it is,
// commas and brackets included, as of helm's --set-literal.
func FromSetLiteral(expr string) Layer { return fromSet(chartfile.SetLiteral, expr) }

func fromSet(kind chartfile.SetKind, expr string) Layer {
	return Layer{kind: layerSet, set: kind, name: setName(kind, expr), content: hide(layerContent{text: []byte(expr)})}
}

// setName is the flag and the first path: what is set may be a secret.
func setName(kind chartfile.SetKind, expr string) string {
	path := firstPath(expr)
	if path == "" || hidesPath(path) {
		return string(kind)
	}
	return string(kind) + " " + shorten(path, maxSetPath)
}

// maxSetPath is how much of a path is shown.
const maxSetPath = 80

// hidesPath reports whether a path may be a value.
func hidesPath(path string) bool { return strings.ContainsAny(path, "{\"'") }

// firstPath returns the first path of a set expression. Without an equals sign
// that may be a value, unless it is a plain word.
func firstPath(expr string) string {
	path, _, ok := strings.Cut(expr, "=")
	if !ok && !plainPath.MatchString(path) {
		return ""
	}
	return path
}

var plainPath = regexp.MustCompile(`^[a-z]{1,12}(\.[a-z]{1,12})*$`)

// MergeValues merges layers, later ones over earlier ones, by Helm's rules:
// maps merge, all else is replaced, null stays to delete the chart's default.
// Set expressions change what the layers before them gave, list items
// included. Errors are [*Error] and name the layer, and the line if there is one.
// All layers together are bounded by MemoryBytes and Steps of the default
// [Limits], each file by FileBytes, and values may nest as deep as DocumentDepth.
func MergeValues(layers ...Layer) (Values, error) { return Limits{}.MergeValues(layers...) }

// MergeValues is the function [MergeValues] within other limits.
func (l Limits) MergeValues(layers ...Layer) (Values, error) {
	merged := map[string]any{}
	m := newMerging(l.WithDefaults())
	o := &origins{}
	for _, layer := range layers {
		switch layer.kind {
		case layerNone:
			continue
		case layerSet:
			if err := m.apply(&layer, merged); err != nil {
				return Values{}, err
			}
		default:
			own, err := m.read(&layer)
			if err != nil {
				return Values{}, err
			}
			mergeInto(merged, own)
		}
		o.add(layer)
	}
	if len(merged) == 0 {
		return Values{}, nil
	}
	return Values{data: hide(merged), origins: o}, nil
}

// setError is an error of a set expression without the values in it.
type setError struct {
	text string
	err  error
}

func (e *setError) Error() string { return "invalid expression: " + e.text }
func (e *setError) Unwrap() error { return e.err }

var quotedText = regexp.MustCompile(`"[^"]*"|\(data: [^)]*\)`)

// hideValues takes out of an error what it quotes of an expression behind its
// first path: a comma in a secret makes a key of what follows.
func hideValues(text, expr string) string {
	path := firstPath(expr)
	return quotedText.ReplaceAllStringFunc(text, func(quoted string) string {
		if inner := strings.Trim(quoted, `"`); inner != "" && strings.Contains(path, inner) {
			return quoted
		}
		return `"…"`
	})
}

func unwrapPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// mergeInto merges src over dst. Dst owns what it is given: src's maps and
// lists must not be shared.
func mergeInto(dst, src map[string]any) {
	for k, v := range src {
		if m, ok := v.(map[string]any); ok {
			if old, ok := dst[k].(map[string]any); ok && old != nil {
				mergeInto(old, m)
				continue
			}
		}
		dst[k] = v
	}
}
