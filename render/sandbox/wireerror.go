package sandbox

import (
	"context"
	"errors"

	"github.com/fairlead-dev/fairlead/render"
)

// wireError is an error as plain data: a tree of what is wrapped. Only the fields
// of its Type are set.
type wireError struct {
	Type    string      `json:"type"`
	Text    string      `json:"text,omitempty"`
	Wrapped []wireError `json:"wrapped,omitempty"`

	At        *render.Error          `json:"at,omitempty"` // with Err nil
	Schema    *render.SchemaError    `json:"schema,omitempty"`
	Duplicate *render.DuplicateError `json:"duplicate,omitempty"`
	Remote    *render.RemoteError    `json:"remote,omitempty"`
	Limit     *render.LimitError     `json:"limit,omitempty"`
	Call      int                    `json:"call,omitempty"`
}

const (
	typeAt        = "error"
	typeSchema    = "schema"
	typeDuplicate = "duplicate"
	typeRemote    = "remote"
	typeLimit     = "limit"
	typeCall      = "call"
	typeCanceled  = "canceled"
	typeDeadline  = "deadline"
	typeOther     = "other"
)

// maxErrorDepth bounds the tree.
const maxErrorDepth = 32

// encodeError makes plain data of an error of package render, in the child.
func encodeError(err error, depth int) wireError {
	if depth > maxErrorDepth {
		return wireError{Type: typeOther, Text: err.Error()}
	}
	w := wireError{}
	var inner error
	switch e := err.(type) { // each error of the chain is looked at by itself
	case *render.Error:
		plain := *e
		plain.Err = nil
		w.Type, w.At, inner = typeAt, &plain, e.Err
	case *render.SchemaError:
		w.Type, w.Schema = typeSchema, e
	case *render.DuplicateError:
		w.Type, w.Duplicate = typeDuplicate, e
	case *render.RemoteError:
		plain := *e
		plain.Err = nil
		w.Type, w.Remote, inner = typeRemote, &plain, e.Err
	case *render.LimitError:
		plain := *e
		plain.Err = nil
		w.Type, w.Limit, inner = typeLimit, &plain, e.Err
	case *callError:
		w.Type, w.Call, w.Text = typeCall, e.call, e.text
	default:
		w.Type, w.Text = typeOther, err.Error()
		switch {
		case err == context.Canceled: // the error itself
			w.Type = typeCanceled
		case err == context.DeadlineExceeded: // the error itself
			w.Type = typeDeadline
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok { // this error's own
			for _, one := range many.Unwrap() {
				w.Wrapped = append(w.Wrapped, encodeError(one, depth+1))
			}
		}
		inner = errors.Unwrap(err)
	}
	if inner != nil {
		w.Wrapped = append(w.Wrapped, encodeError(inner, depth+1))
	}
	return w
}

// callError is the error of a function of the parent, as the child knows it.
type callError struct {
	call int
	text string
}

func (e *callError) Error() string { return e.text }

// otherError has the text of an error whose type is not known here, and what it
// wrapped.
type otherError struct {
	text    string
	wrapped []error
}

func (e *otherError) Error() string   { return e.text }
func (e *otherError) Unwrap() []error { return e.wrapped }

// decode makes an error of plain data, in the parent. It accepts any. The errors
// of calls are those that the parent's functions returned.
func (w wireError) decode(calls []error) error {
	wrapped := make([]error, len(w.Wrapped))
	for i, one := range w.Wrapped {
		wrapped[i] = one.decode(calls)
	}
	var inner error
	if len(wrapped) > 0 {
		inner = wrapped[0]
	}
	switch {
	case w.Type == typeAt && w.At != nil:
		e := *w.At
		if e.Err = inner; inner == nil {
			e.Err = errors.New("no cause") // never nil, by its type
		}
		return &e
	case w.Type == typeSchema && w.Schema != nil:
		return w.Schema
	case w.Type == typeDuplicate && w.Duplicate != nil:
		return w.Duplicate
	case w.Type == typeRemote && w.Remote != nil:
		e := *w.Remote
		e.Err = inner
		return &e
	case w.Type == typeLimit && w.Limit != nil:
		e := *w.Limit
		e.Err = inner
		return &e
	case w.Type == typeCall && w.Call > 0 && w.Call <= len(calls):
		return calls[w.Call-1]
	case w.Type == typeCanceled:
		return context.Canceled
	case w.Type == typeDeadline:
		return context.DeadlineExceeded
	}
	return &otherError{w.Text, wrapped}
}
