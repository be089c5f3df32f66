package storage

import (
	"errors"
	"fmt"
)

var (
	// ErrRevisionExists: another process recorded this revision first.
	ErrRevisionExists = errors.New("revision exists already")
	// ErrNotFound: there is no such revision.
	ErrNotFound = errors.New("revision not found")
	// ErrChanged: the stored revision is not the one that was read; read it
	// again.
	ErrChanged = errors.New("the stored revision was changed by another client")
	// ErrTooBig: the revision is beyond what is continued in further Secrets.
	// What stays in its own Secret, its notes above all, must fit there: 1 MiB,
	// compressed and in base64.
	ErrTooBig = errors.New("the revision is too big to be stored")
	// ErrDigest is in a DecodeError: what the revision applies is not what its
	// annotation fairlead.dev/digest says.
	ErrDigest = errors.New("the manifest does not have the digest that was recorded")
	// ErrTooMany is in a DecodeError: there are more revisions since the last
	// healthy one than are read.
	ErrTooMany = fmt.Errorf("more than %d revisions would have to be read", maxRead)
	// ErrTorn is in a DecodeError: Secrets that continue the revision are
	// missing, or are not those that were written with it.
	ErrTorn = errors.New("the revision is continued in further Secrets, and these are not whole")
)

// DecodeError says that a stored revision cannot be read. Err may be ErrTorn.
// Others of the same release may be readable.
type DecodeError struct {
	Object string // kind, namespace and name of what holds it
	Err    error
}

func (s *Store) broken(namespace, name string, err error) *DecodeError {
	return &DecodeError{fmt.Sprintf("%s %s/%s", s.backend.Kind(), namespace, name), err}
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("%s holds no readable revision: %v", e.Object, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }
