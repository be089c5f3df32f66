package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/internal/account"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// newDecoder returns a decoder of YAML for one render or one merge of values:
// all that it reads is charged to one account.
func (l Limits) newDecoder() yamlread.Decoder {
	return yamlread.Decoder{Account: yamlread.NewBudget(l.MemoryBytes), Depth: l.DocumentDepth}
}

// parseValues reads the text of a values file with the types that Helm gives:
// all numbers float64.
func parseValues(decoder yamlread.Decoder, text []byte) (map[string]any, *Error) {
	var parsed any
	if err := decoder.Unmarshal(text, &parsed); err != nil {
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
func parseObject(decoder yamlread.Decoder, text string) (map[string]any, error) {
	content, err := decoder.Object(text)
	var kind *yamlread.KindError
	if errors.As(err, &kind) {
		return nil, notAnObject{kindOf(kind.Value)}
	}
	return content, err
}

// notAnObject is returned for a document or list item that is not a mapping.
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
		if plainWord.MatchString(v) {
			return "text: " + strconv.Quote(v)
		}
		return fmt.Sprintf("a text of %d characters", utf8.RuneCountInString(v))
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	case float64, int64, json.Number:
		return "a number"
	}
	return fmt.Sprintf("%T", v)
}

// plainWord is a text that an error shows: others may be secret.
var plainWord = regexp.MustCompile(`^[A-Za-z][a-z]{0,11}$`)

func shorten(s string, most int) string {
	n := 0
	for i := range s {
		if n == most {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

var (
	yamlLine = regexp.MustCompile(`line (\d+)(?:, column (\d+))?:? ?`)
	// yamlValue is what the decoder repeats of a value.
	yamlValue  = regexp.MustCompile("(?s)(cannot (?:unmarshal|decode) \\S+ )`.*`|(unknown anchor )'.*'")
	yamlPrefix = regexp.MustCompile(`^(error converting YAML to JSON: )?(error unmarshaling JSON: )?(while decoding JSON: )?(yaml: )?`)
)

// yamlError places an error of the YAML decoder at its line.
func yamlError(err error) *Error {
	if limit := yamlLimit(err); limit != nil {
		return &Error{Err: limit, Hint: aliasHint}
	}
	text := yamlValue.ReplaceAllString(yamlPrefix.ReplaceAllString(err.Error(), ""), "$1…")
	e := &Error{Hint: yamlHint(text)}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	e.Err = fmt.Errorf("invalid YAML: %w", &yamlCause{text, err})
	return e
}

const aliasHint = "write the values out instead of using anchors, or raise this limit if the input is to be trusted"

// yamlLimit returns the limit that a text exceeds; nil if err is another error.
func yamlLimit(err error) *LimitError {
	var limit *LimitError
	var inside *yamlread.LimitError
	var spent *account.LimitError
	switch {
	case errors.As(err, &limit):
		return limit
	case errors.As(err, &spent):
		return &LimitError{Limit: spent.Limit, Max: spent.Max, Subject: "a YAML document, aliases expanded", Err: spent.Err}
	case errors.As(err, &inside):
		return &LimitError{Limit: inside.Limit, Max: inside.Max, Subject: "a YAML document, aliases expanded"}
	}
	return nil
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
