package engine

import (
	"errors"
	"regexp"

	"github.com/fairlead-dev/fairlead/diff"
)

// gotValue is the part of a server-side apply error that repeats the value that
// does not match its schema.
var gotValue = regexp.MustCompile(`(?s), got .*`)

// hide replaces Secret values in the API server's message about an object. For
// a Secret it also replaces the value that the message repeats, which may be
// too short for the redactor to find.
func hide(redactor *diff.Redactor, o diff.Object, text string) string {
	if o.Group == "" && o.Kind == "Secret" {
		text = gotValue.ReplaceAllString(text, ", got something else; put the value in quotes")
	}
	return redactor.String(text)
}

// hideError returns err with Secret values in its text replaced.
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

// redacted is an error whose text contained a secret. errors.Is works as with
// the original, which it does not unwrap to.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
