package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrRevisionExists: somebody else recorded this revision first.
	ErrRevisionExists = errors.New("revision exists already")
	// ErrNotFound: there is no such revision.
	ErrNotFound = errors.New("revision not found")
	// ErrChanged: the stored revision is not the one that was read; read it
	// again.
	ErrChanged = errors.New("the stored revision was changed by somebody else")
	// ErrTooBig: the revision does not fit into a Secret, even without its
	// chart.
	ErrTooBig = errors.New("the revision does not fit into a Secret (1 MiB)")
)

// DecodeError says that a stored revision cannot be read.
type DecodeError struct {
	Namespace, Secret string
	Err               error
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("Secret %s/%s holds no readable revision: %v", e.Namespace, e.Secret, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }
