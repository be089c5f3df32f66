package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

var (
	// ErrInvalidKey: a release name or namespace that Kubernetes refuses.
	ErrInvalidKey = errors.New("invalid release key")
	// ErrReleaseNotFound: no revision of the release is stored.
	ErrReleaseNotFound = errors.New("release not found")
	// ErrRevisionNotFound: the release has no such revision.
	ErrRevisionNotFound = errors.New("revision not found")
	// ErrNamespaceNotFound: a namespace that the release needs does not exist.
	ErrNamespaceNotFound = errors.New("namespace not found")
	// ErrUnknownKind: the API server serves no such kind, and the release
	// brings no CustomResourceDefinition for it.
	ErrUnknownKind = errors.New("unknown kind")
	// ErrUnreachable: the API server did not answer.
	ErrUnreachable = errors.New("API server unreachable")
	// ErrNoKubeconfig: there is no kubeconfig, and the program does not run in
	// a cluster either.
	ErrNoKubeconfig = errors.New("no kubeconfig found")
	// ErrForbidden: the API server refused for lack of rights.
	ErrForbidden = errors.New("forbidden")
	// ErrBusy: another deployer is at work on the release.
	ErrBusy = errors.New("another deployer is at work on the release")
	// ErrUnfinished: the newest revision failed or is pending, or is being
	// uninstalled: nothing whole is there to correct drift to.
	ErrUnfinished = errors.New("the newest revision is unfinished")
	// ErrSuperseded: another deployer has taken the release over, because this
	// one had not been heard of, or only waited and ApplyOptions.Supersede
	// was set.
	ErrSuperseded = errors.New("superseded by another deployer")
	// ErrSourceNeeded: a plan that was read from JSON is applied without
	// ApplyOptions.Release.
	ErrSourceNeeded = errors.New("the release is needed to apply a stored plan")
)

// Error is what the engine's calls fail with. Its parts tell where; Err is
// the cause, for errors.Is and errors.As.
type Error struct {
	Op     string      // what was being done: "plan", "apply", …
	Key    Key         // of which release; zero if none is concerned
	Object diff.Object // on which object; zero if none is concerned
	Hint   string      // what to do next; may be empty
	Err    error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Key != (Key{}) {
		fmt.Fprintf(&b, " %s", e.Key)
	}
	if e.Object != (diff.Object{}) {
		fmt.Fprintf(&b, ": %s", e.Object)
	}
	b.WriteString(": ")
	writeCause(&b, e.Err, e.Hint)
	return b.String()
}

// writeCause writes a cause and what to do about it. Further lines of the
// cause stand below the first.
func writeCause(b *strings.Builder, cause error, hint string) {
	text := fmt.Sprint(cause)
	b.WriteString(indented(text))
	switch {
	case hint == "":
	case strings.Contains(text, "\n"):
		fmt.Fprintf(b, "\n  try: %s", hint)
	default:
		fmt.Fprintf(b, " (%s)", hint)
	}
}

func (e *Error) Unwrap() error { return e.Err }

// ProblemKind says what stands in a plan's way.
type ProblemKind string

const (
	// ProblemConflict: another field manager owns fields that would change.
	ProblemConflict ProblemKind = "Conflict"
	// ProblemImmutable: a field changes that the API server does not let
	// change.
	ProblemImmutable ProblemKind = "Immutable"
	// ProblemOwned: the object belongs to another release, or to another apply
	// set.
	ProblemOwned ProblemKind = "OwnedByOther"
	// ProblemUnowned: the object exists and belongs to no release, and
	// Release.Adopt is not set.
	ProblemUnowned ProblemKind = "Unowned"
	// ProblemInvalid: the API server finds the object invalid, or refuses it
	// by admission or quota.
	ProblemInvalid ProblemKind = "Invalid"
	// ProblemForbidden: the right to carry the change out is missing.
	ProblemForbidden ProblemKind = "Forbidden"
	// ProblemStorageClass: a claim that would be made names no StorageClass,
	// and the cluster has no default one; or one is needed that can grow.
	ProblemStorageClass ProblemKind = "StorageClass"
	// ProblemNotAllowed: Options.Allow does not let releases touch the object.
	ProblemNotAllowed ProblemKind = "NotAllowed"
	// ProblemTerminating: the object is being deleted and still there.
	ProblemTerminating ProblemKind = "Terminating"
	// ProblemOrder: what annotations say of the order cannot be followed: they
	// cannot be read, name what the release does not have, or go in a circle.
	ProblemOrder ProblemKind = "Order"
	// ProblemDefinition: a CustomResourceDefinition would lose what is in use.
	ProblemDefinition ProblemKind = "Definition"
	// ProblemPrune: more would be deleted than is likely to be meant. Its
	// Object is the first of what would be.
	ProblemPrune ProblemKind = "Prune"
)

// Problem is a reason for which a plan will not be applied. It is plain data
// and also an error.
type Problem struct {
	Kind    ProblemKind `json:"kind"`
	Object  diff.Object `json:"object"`
	Message string      `json:"message"`
	// Source is the template that the object is from; empty: none, or the
	// object is no longer wanted.
	Source string `json:"source,omitempty"`
	// Fields concerned, in Kubernetes' own notation; may be empty.
	Fields []string `json:"fields,omitempty"`
	// Hint says what to do next.
	Hint string `json:"hint,omitempty"`
	// Hook is set if the object is a hook: with ApplyOptions.NoHooks the
	// problem is none.
	Hook bool `json:"hook,omitempty"`
}

func (p Problem) Error() string {
	s := fmt.Sprintf("%s: %s", p.Object, p.Message)
	if p.Source != "" {
		s = fmt.Sprintf("%s from %s: %s", p.Object, p.Source, p.Message)
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// ProblemsError is a plan's problems as one error: nothing was written.
type ProblemsError struct {
	Key      Key
	Problems []Problem // in the order of the report
}

func (e *ProblemsError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s cannot be applied, nothing was written:", e.Key)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s", p.Error())
	}
	return b.String()
}

// Unwrap gives the problems one by one, for errors.As with a Problem.
func (e *ProblemsError) Unwrap() []error {
	out := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		out[i] = p
	}
	return out
}

// StalePlanError says that the cluster, or what is to be applied, is no
// longer what the plan was made from. Nothing was written; plan again.
type StalePlanError struct {
	Key    Key
	Object diff.Object // zero if the release as a whole is concerned
	Field  string      // empty if the object as a whole is concerned
	// Then and Now are what the plan saw and what is there. Secret values are
	// hidden.
	Then, Now string
}

func (e *StalePlanError) Error() string {
	where := e.Key.String()
	if e.Object != (diff.Object{}) {
		where = e.Object.String()
	}
	if e.Field != "" {
		where += " " + e.Field
	}
	return fmt.Sprintf("the plan is stale: %s was %s when it was made and is %s now; nothing was written, plan again", where, e.Then, e.Now)
}

// ApplyError says how far an apply came. The revision is recorded as failed,
// and the next call goes on from there.
type ApplyError struct {
	Key       Key
	Revision  int
	Operation Operation       // OperationUninstall, or empty for what makes a new revision
	Failed    []*Error        // one for each object that failed
	Skipped   []SkippedObject // what was not tried because of that
}

// SkippedObject is an object that was not tried, and why.
type SkippedObject struct {
	diff.Object
	Reason string
}

const (
	somethingFailed = "something before it failed"
	maxSkippedTold  = 10 // one by one, in an error's text
)

func (e *ApplyError) Error() string {
	var b strings.Builder
	if e.Operation == OperationUninstall {
		fmt.Fprintf(&b, "the uninstall of %s failed", e.Key)
	} else {
		fmt.Fprintf(&b, "revision %d of %s failed", e.Revision, e.Key)
	}
	for _, f := range e.Failed {
		b.WriteString("\n  ")
		if f.Op != "apply" {
			b.WriteString(f.Op)
		}
		if f.Object != (diff.Object{}) {
			if f.Op != "apply" {
				b.WriteString(" ")
			}
			b.WriteString(f.Object.String())
		}
		if f.Op != "apply" || f.Object != (diff.Object{}) {
			b.WriteString(": ")
		}
		var cause strings.Builder
		writeCause(&cause, f.Err, f.Hint)
		b.WriteString(indented(cause.String()))
	}
	rest := 0
	for i, s := range e.Skipped {
		if s.Reason == somethingFailed || i-rest >= maxSkippedTold {
			rest++
			continue
		}
		fmt.Fprintf(&b, "\n  %s was not tried: %s", s.Object, s.Reason)
	}
	if rest > 0 {
		fmt.Fprintf(&b, "\n  %d more not tried", rest)
	}
	return b.String()
}

func (e *ApplyError) Unwrap() []error {
	out := make([]error, len(e.Failed))
	for i, f := range e.Failed {
		out[i] = f
	}
	return out
}

// explain puts a request's error into the words of this package: which class
// it is of and what to do about it. A context's end stays what it is.
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
		e.Hint = "restore this Secret from a backup; or delete it, and the release goes on from the revision before, while objects that only this one had stay in the cluster"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case apierrors.IsForbidden(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "ask for the missing right, or use a kubeconfig that has it"
	case apierrors.IsUnauthorized(err):
		e.Err = &classified{ErrForbidden, err}
		e.Hint = "the API server does not accept these credentials; log in again or renew the token"
	case meta.IsNoMatchError(err):
		e.Err = &classified{ErrUnknownKind, err}
		e.Hint = "check apiVersion and kind, or install the CustomResourceDefinition first"
	case isUnreachable(err):
		e.Err = &classified{ErrUnreachable, err}
		e.Hint = "check the server's address in the kubeconfig, the network, and that the cluster runs"
	}
	return e
}

// classified is err, which is also of a class: errors.Is finds both.
type classified struct {
	class error
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
