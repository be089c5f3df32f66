package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// explain returns the error of a request as an *Error, with the sentinel that
// it belongs to and a hint what to do. The errors of a context are left as they
// are, and an *Error in err is returned unchanged.
func explain(op string, k Key, o diff.Object, err error) error {
	if err == nil {
		return nil
	}
	var have *Error
	if errors.As(err, &have) {
		return err
	}
	e := &Error{Op: op, Key: k, Object: o, Err: err}
	var broken *storage.DecodeError
	switch {
	case errors.As(err, &broken):
		e.Hint = "restore this Secret from a backup; or delete it: the release then continues from the revision before, and objects that only this revision had stay in the cluster"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case apierrors.IsForbidden(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "grant the missing permission, or use credentials that have it"
	case apierrors.IsUnauthorized(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "the API server does not accept these credentials; log in again or renew the token"
	case meta.IsNoMatchError(err):
		e.Err = &classified{ErrUnknownKind, err}
		e.Hint = "check apiVersion and kind, or install the CustomResourceDefinition first"
	case isUnreachable(err):
		e.Err = &classified{ErrUnreachable, err}
		e.Hint = "check the server address in the kubeconfig, the network, and that the cluster is running"
	}
	return e
}

// classified is an error that also belongs to a sentinel: errors.Is finds both.
type classified struct {
	class error // a sentinel of this package
	err   error
}

func (c *classified) Error() string   { return fmt.Sprintf("%v: %v", c.class, c.err) }
func (c *classified) Unwrap() []error { return []error{c.class, c.err} }

func isUnreachable(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return false
	}
	var netErr net.Error
	var urlErr *url.Error
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || errors.As(err, &netErr) || errors.As(err, &urlErr)
}
