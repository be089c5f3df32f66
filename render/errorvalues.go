package render

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/redact"
	"github.com/fairlead-dev/fairlead/internal/template"
)

// hiddenCause is a template's error without values in its text. It unwraps to
// the error with Helm's text, which may have them.
type hiddenCause struct {
	text string
	err  error
}

func (e *hiddenCause) Error() string { return e.text }
func (e *hiddenCause) Unwrap() error { return e.err }

// withoutValues hides the given values in what functions of a template say: all
// of them in the messages of functions, and in what required and fail say, which
// the chart's author has written, those of keys such as password.
func withoutValues(err *template.Error, given Values) error {
	all, secret := &redact.Set{}, &redact.Set{}
	for key, v := range given.merged() {
		learnValues(all, secret, v, chartfile.Secretive(key))
	}
	text := err.Hidden(hiding(all), hiding(secret))
	if text == err.Error() {
		return err
	}
	return &hiddenCause{text, err}
}

func hiding(s *redact.Set) func(string) string {
	return func(text string) string {
		var b strings.Builder
		at := 0
		for _, span := range s.Spans(text) {
			b.WriteString(text[at:span.From] + "…")
			at = span.To
		}
		return b.String() + text[at:]
	}
}

func learnValues(all, secret *redact.Set, v any, secretive bool) {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			learnValues(all, secret, item, (secretive || chartfile.Secretive(key)) && !isName(key))
		}
	case []any:
		for _, item := range v {
			learnValues(all, secret, item, secretive)
		}
	case nil, bool:
	default:
		text := scalar(v)
		all.Learn(text)
		if secretive {
			secret.Learn(text)
		}
	}
}

// isName reports whether a key such as passwordKey, username or existingSecret
// has a name for a value, also where it is below one such as auth: messages of a
// chart's author need it.
func isName(key string) bool {
	key = strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(key))
	for _, end := range []string{"passwordkey", "name", "user", "existingsecret"} {
		if strings.HasSuffix(key, end) {
			return true
		}
	}
	return false
}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}
