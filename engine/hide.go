package engine

import (
	"errors"
	"regexp"

	"github.com/fairlead-dev/fairlead/diff"
)

// gotValue is how server-side apply repeats a value that does not fit its
// schema.
var gotValue = regexp.MustCompile(`(?s), got .*`)

// hide takes secrets out of what the API server says about an object. Of a
// Secret it also takes out the value that is refused, which may be too short
// to be known in a text.
func hide(redactor *diff.Redactor, o diff.Object, text string) string {
	if o.Group == "" && o.Kind == "Secret" {
		text = gotValue.ReplaceAllString(text, ", got something else; put the value in quotes")
	}
	return redactor.String(text)
}

// hideError does so with the text of an error.
func hideError(redactor *diff.Redactor, o diff.Object, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.hide(redactor, o)
	}
	return err
}

func (e *Error) hide(redactor *diff.Redactor, o diff.Object) {
	if text := e.Err.Error(); hide(redactor, o, text) != text {
		e.Err = &redacted{hide(redactor, o, text), e.Err}
	}
}
