package merge

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// ErrNoSchema is the reason of an UndecidedError where the server
	// publishes no schema for the kind, or it cannot be had.
	ErrNoSchema = errors.New("no schema for the kind")
	// ErrVersion is the reason where versions of an API would have to be
	// converted into each other.
	ErrVersion = errors.New("another API version is involved")
	// ErrStatus is the reason where desired holds a status of a custom
	// resource, which is dropped or kept by the server as its definition says.
	ErrStatus = errors.New("desired holds a status")
	// ErrLive is the reason where the live object does not fit its schema or
	// its managedFields cannot be read.
	ErrLive = errors.New("the live object cannot be read")
)

// UndecidedError says that only the API server can tell. Ask it by a dry-run.
type UndecidedError struct {
	GVK             schema.GroupVersionKind
	Namespace, Name string
	// Reason is one of ErrNoSchema, ErrVersion, ErrStatus, ErrLive.
	Reason error
	// Err is what happened; may be nil.
	Err error
}

func (e *UndecidedError) Error() string {
	s := fmt.Sprintf("merge %s %s locally: %v", e.GVK.Kind, name(e.Namespace, e.Name), e.Reason)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *UndecidedError) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// InvalidError says that desired does not fit the schema: an unknown field, a
// value of the wrong type, a list item that is there twice. The API server
// would refuse it.
type InvalidError struct {
	GVK             schema.GroupVersionKind
	Namespace, Name string
	Err             error
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %s does not fit the schema of %s: %v", e.GVK.Kind, name(e.Namespace, e.Name), e.GVK.GroupVersion(), e.Err)
}

func (e *InvalidError) Unwrap() error { return e.Err }

func name(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}

func undecided(u *unstructured.Unstructured, reason, err error) error {
	return &UndecidedError{GVK: u.GroupVersionKind(), Namespace: u.GetNamespace(), Name: u.GetName(), Reason: reason, Err: err}
}
