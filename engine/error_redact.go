package engine

import (
	"errors"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
)

// hide is the API server's message about an object, readable and with Secret
// values replaced. Of a Secret it leaves out any value that the message repeats,
// which may be too short for the redactor to find.
func hide(redactor *diff.Redactor, o diff.Object, text string) string {
	return redactor.String(readable(text, o.Group == "" && o.Kind == "Secret"))
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
	text := e.Err.Error()
	shown := hide(redactor, o, text)
	switch {
	case shown == text:
	case o.Group == "" && o.Kind == "Secret", redactor.String(text) != text:
		e.Err = &redacted{shown, e.Err}
	default:
		e.Err = &reworded{shown, e.Err}
	}
}

// hidden is a problem without Secret values in its texts, which repeat
// annotations and fields.
func (p Problem) hidden(redactor *diff.Redactor) Problem {
	p.Message, p.Hint = redactor.String(p.Message), redactor.String(p.Hint)
	return p
}

// hideTexts returns a copy of texts with Secret values replaced.
func hideTexts(redactor *diff.Redactor, texts []string) []string {
	out := slices.Clone(texts)
	for i, text := range out {
		out[i] = redactor.String(text)
	}
	return out
}

// withoutSecrets returns err with Secret values in its text replaced; err itself
// if there are none.
func withoutSecrets(redactor *diff.Redactor, err error) error {
	text := err.Error()
	if shown := redactor.String(text); shown != text {
		return &redacted{shown, err}
	}
	return err
}

// reworded is an error of the API server in other words.
type reworded struct {
	text string
	err  error
}

func (r *reworded) Error() string { return r.text }
func (r *reworded) Unwrap() error { return r.err }

// redacted is an error whose text contained a secret. errors.Is works as with
// the original, which it does not unwrap to.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
