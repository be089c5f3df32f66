package merge

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	// ErrNoSchema is the reason of an UndecidedError if the server publishes no
	// schema for the kind, or it cannot be loaded.
	ErrNoSchema = errors.New("no schema for the kind")
	// ErrVersion is the reason if the result requires conversion between API
	// versions.
	ErrVersion = errors.New("requires conversion between API versions")
	// ErrStatus is the reason if desired has the status of a custom resource,
	// which the server drops or keeps depending on its definition.
	ErrStatus = errors.New("desired has a status")
	// ErrLive is the reason if the live object does not match its schema or its
	// managedFields cannot be parsed.
	ErrLive = errors.New("the live object cannot be parsed")
)

// UndecidedError is returned if only the API server can compute the result, by a
// dry-run.
type UndecidedError struct {
	GVK             schema.GroupVersionKind
	Namespace, Name string
	// Reason is one of ErrNoSchema, ErrVersion, ErrStatus, ErrLive.
	Reason error
	// Err is the cause; may be nil.
	Err error
}

func (e *UndecidedError) Error() string {
	s := fmt.Sprintf("cannot merge %s %s locally: %v", e.GVK.Kind, name(e.Namespace, e.Name), e.Reason)
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

// InvalidError is returned if desired does not match the schema: an unknown
// field, a value of the wrong type, a duplicate list item. The API server would
// reject it.
type InvalidError struct {
	GVK             schema.GroupVersionKind
	Namespace, Name string
	Err             error
}

func (e *InvalidError) Error() string {
	return fmt.Sprintf("%s %s does not match the schema of %s: %v", e.GVK.Kind, name(e.Namespace, e.Name), e.GVK.GroupVersion(), e.Err)
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
