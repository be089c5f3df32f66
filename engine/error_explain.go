package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/clean"
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
		e.Err = &classified{ErrBrokenRevision, err}
		e.Hint = "restore this Secret from a backup; or delete it: the release then continues from the revision before, and objects that only this revision had stay in the cluster"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case isQuota(err):
		e.Err = &classified{ErrQuota, err}
		e.Hint = quotaHintFor(err.Error())
	case isAdmission(err), apierrors.IsForbidden(err) && saysAdmission.MatchString(err.Error()), isUntyped(err):
		e.Hint = refusalHint(err.Error())
	case isTerminating(err):
		e.Hint = "wait until it is gone, then call again"
	case unstorable.MatchString(err.Error()):
		e.Hint = fmt.Sprintf("it is stored as %s, which its CustomResourceDefinition no longer has: add that version to it again, with served and storage false; write all objects of the kind once, as kubectl get -o json | kubectl replace -f - does; then remove the version",
			unstorable.FindStringSubmatch(err.Error())[1])
	case unavailableHint(o, err) != "":
		e.Err = &classified{ErrUnavailable, err}
		e.Hint = unavailableHint(o, err)
	case apierrors.IsForbidden(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "grant the missing permission, or use credentials that have it"
	case apierrors.IsUnauthorized(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "the API server does not accept these credentials; log in again or renew the token"
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		e.Hint = refusalHint(err.Error())
	case meta.IsNoMatchError(err):
		e.Err = &classified{ErrUnknownKind, err}
		e.Hint = "check apiVersion and kind, or install the CustomResourceDefinition first"
	case isUnreachable(err):
		e.Err = &classified{ErrUnreachable, err}
		e.Hint = "check the server address in the kubeconfig, the network, and that the cluster is running"
	}
	return e
}

// conversionFailed matches the API server's report about a conversion webhook
// that did not convert an object.
var conversionFailed = regexp.MustCompile(`conversion webhook for (\S+), Kind=(\S+) failed`)

// unavailableHint is what to do about an error of what serves the object's kind;
// empty if it is no such error. o may be zero.
func unavailableHint(o diff.Object, err error) string {
	var unavailable *cluster.UnavailableError
	if errors.As(err, &unavailable) {
		return apiServiceHint(unavailable.APIService)
	}
	if m := conversionFailed.FindStringSubmatch(err.Error()); m != nil {
		group, _, _ := strings.Cut(m[1], "/")
		return fmt.Sprintf("get the webhook running that spec.conversion of the CustomResourceDefinition of %s.%s names: its Service, pods and certificate", m[2], group)
	}
	if apierrors.IsServiceUnavailable(err) && !diff.IsBuiltinGroup(o.Group) {
		return apiServiceHint(o.Version + "." + o.Group)
	}
	return ""
}

func apiServiceHint(name string) string {
	return fmt.Sprintf("get APIService %s running again (kubectl describe apiservice %s says what is wrong); delete it only if the API is gone for good", name, name)
}

// classified is an error that also belongs to a sentinel: errors.Is finds both.
type classified struct {
	class error // a sentinel of this package
	err   error
}

func (c *classified) Error() string   { return clean.Text(fmt.Sprintf("%v: %v", c.class, c.err)) }
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
