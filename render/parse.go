package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// parseValues reads the text of a values file with the types that Helm gives:
// all numbers float64.
func parseValues(text []byte) (map[string]any, *Error) {
	if m, ok := yamlread.Mapping(string(text), yamlread.Floats); ok {
		return m, nil
	}
	var parsed any
	if err := sigsyaml.Unmarshal(text, &parsed); err != nil {
		return nil, yamlError(err)
	}
	switch m := parsed.(type) {
	case nil:
		return map[string]any{}, nil
	case map[string]any:
		return m, nil
	}
	return nil, &Error{
		Line: 1, Err: fmt.Errorf("values must be a mapping, this is %s", kindOf(parsed)),
		Hint: "write key: value at the top level",
	}
}

// parseObject reads one YAML or JSON document with the types that Kubernetes
// uses: whole numbers int64, others float64. Nil without an error is an empty
// document.
func parseObject(text string) (map[string]any, error) {
	if m, ok := yamlread.Mapping(text, yamlread.Integers); ok {
		return m, nil
	}
	raw, err := sigsyaml.YAMLToJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	if raw[0] != '{' {
		var parsed any
		if err := json.Unmarshal(raw, &parsed); err != nil {
			return nil, err
		}
		return nil, notAnObject{kindOf(parsed)}
	}
	var content map[string]any
	if err := utiljson.Unmarshal(raw, &content); err != nil {
		return nil, err
	}
	return content, nil
}

type notAnObject struct{ kind string }

func (e notAnObject) Error() string {
	return "a Kubernetes object must be a mapping, this is " + e.kind
}

func kindOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case string:
		return "text: " + strconv.Quote(shorten(v, 40))
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	case float64, int64, json.Number:
		return "a number"
	}
	return fmt.Sprintf("%T", v)
}

func shorten(s string, most int) string {
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+)(?:, column (\d+))?:? ?`)
	yamlPrefix = regexp.MustCompile(`^(error converting YAML to JSON: )?(error unmarshaling JSON: )?(while decoding JSON: )?(yaml: )?`)
)

// yamlError makes an error of one of the YAML library, with its line.
func yamlError(err error) *Error {
	text := yamlPrefix.ReplaceAllString(err.Error(), "")
	e := &Error{Hint: yamlHint(text)}
	if strings.Contains(text, "excessive aliasing") {
		e.Err = &LimitError{Limit: "YAMLAliases", Subject: "a document whose aliases unfold to too much", Err: err}
		e.Hint = "write the values out instead of using anchors"
		return e
	}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	e.Err = fmt.Errorf("invalid YAML: %w", &yamlCause{text, err})
	return e
}

// yamlCause says what a YAML error says without its prefixes and line.
type yamlCause struct {
	text string
	err  error
}

func (e *yamlCause) Error() string { return e.text }
func (e *yamlCause) Unwrap() error { return e.err }

func yamlHint(text string) string {
	switch {
	case strings.Contains(text, "mapping values are not allowed"):
		return "look for a missing quote around a text with a colon, or for wrong indentation"
	case strings.Contains(text, "found character that cannot start any token"):
		return "look for a tab in the indentation, or a text that begins with @, %, or a backquote and needs quotes"
	case strings.Contains(text, "did not find expected"):
		return "look at the indentation of this line and the one before"
	case strings.Contains(text, "found unexpected end of stream"):
		return "look for a quote or bracket that is not closed"
	}
	return "look at this line and the one before"
}

// number gives the value of a JSON number: int64 where it is written as a whole
// number, else float64.
func number(n json.Number) any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i
	}
	f, err := n.Float64()
	if err != nil {
		return string(n)
	}
	return f
}

// decodeJSON reads JSON with numbers as encodeNumbers wrote them.
func decodeJSON(data []byte, into *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return errors.New("text after the JSON value")
	}
	for k, v := range *into {
		(*into)[k] = decodeNumbers(v)
	}
	return nil
}

func decodeNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for k, item := range v {
			v[k] = decodeNumbers(item)
		}
	case []any:
		for i, item := range v {
			v[i] = decodeNumbers(item)
		}
	}
	return v
}

// encodeNumbers copies a value so that float64 and int64, which templates print
// differently, stay apart in JSON: a float always has a point or an exponent.
func encodeNumbers(v any) any {
	switch v := v.(type) {
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return json.Number(s)
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = encodeNumbers(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = encodeNumbers(item)
		}
		return out
	}
	return v
}
