package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

var (
	// ErrInvalidKey is returned when Kubernetes would refuse the name or
	// namespace of a release.
	ErrInvalidKey = errors.New("invalid release key")
	// ErrInvalidOptions is returned when a field of an options struct has a
	// value that is none of the accepted ones, or that the call cannot honour.
	ErrInvalidOptions = errors.New("invalid options")
	// ErrReleaseNotFound is returned when no revision of the release is stored.
	ErrReleaseNotFound = errors.New("release not found")
	// ErrRevisionNotFound is returned when the release has no such revision.
	ErrRevisionNotFound = errors.New("revision not found")
	// ErrBrokenRevision is returned when a stored revision cannot be read: it was
	// changed by another client, or is stored in part.
	ErrBrokenRevision = errors.New("the stored revision cannot be read")
	// ErrNamespaceNotFound is returned when a namespace that the release needs
	// does not exist.
	ErrNamespaceNotFound = errors.New("namespace not found")
	// ErrObjectNotFound is returned by Live when an object does not exist.
	ErrObjectNotFound = errors.New("object not found")
	// ErrUnknownKind is returned when the API server does not serve a kind, and
	// the release has no CustomResourceDefinition for it.
	ErrUnknownKind = errors.New("unknown kind")
	// ErrUnavailable is returned when what serves an object does not respond: an
	// aggregated API (APIService), or the conversion webhook of a
	// CustomResourceDefinition. Whether the object exists is not known then, so
	// it is never treated as deleted.
	ErrUnavailable = errors.New("API unavailable")
	// ErrQuota is returned when a ResourceQuota does not allow an object.
	ErrQuota = errors.New("quota exceeded")
	// ErrUnreachable is returned when no connection to the API server can be
	// made, or it breaks.
	ErrUnreachable = errors.New("API server unreachable")
	// ErrNoKubeconfig is returned when there is no kubeconfig, and the program
	// does not run in a cluster either.
	ErrNoKubeconfig = errors.New("no kubeconfig found")
	// ErrForbidden is returned when the API server refuses a request for lack
	// of permissions, or does not accept the credentials.
	ErrForbidden = errors.New("forbidden")
	// ErrNotAllowed is returned when Options.Allow blocks an object.
	ErrNotAllowed = errors.New("not allowed")
	// ErrRevisionFailed is in Progress if a revision has failed in an earlier pass.
	ErrRevisionFailed = errors.New("the revision has failed")
	// ErrBusy is returned when another operation on the release is in progress.
	ErrBusy = errors.New("another operation on the release is in progress")
	// ErrUnfinished is returned when drift cannot be corrected because the
	// newest revision failed, is pending, or is being uninstalled.
	ErrUnfinished = errors.New("the newest revision is not deployed")
	// ErrSuperseded is returned when another operation has taken the release
	// over: this one did not renew its mark in the revision in time, or was only
	// waiting and the other one had ApplyOptions.Supersede set.
	ErrSuperseded = errors.New("superseded by another operation")
	// ErrSourceNeeded is returned when the plan of a deploy that was read from
	// JSON is applied without ApplyOptions.Release.
	ErrSourceNeeded = errors.New("applying a stored plan needs ApplyOptions.Release")
	// ErrTargetNeeded is returned when a plan that was read from JSON is applied
	// and neither ApplyOptions.Key nor Release says which release it is for.
	ErrTargetNeeded = errors.New("applying a stored plan needs ApplyOptions.Key")
	// ErrPlanRelease is returned when a plan is for another release than the one
	// that ApplyOptions name.
	ErrPlanRelease = errors.New("the plan is for another release")
	// ErrPlanKind is returned when a plan is of a kind that ApplyOptions do not
	// accept.
	ErrPlanKind = errors.New("the plan is of another kind than expected")
	// ErrPlanCluster is returned when a plan is for another cluster, or does not
	// name one.
	ErrPlanCluster = errors.New("the plan is for another cluster")
	// ErrPlanInvalid is returned when JSON is no plan as the engine writes it.
	ErrPlanInvalid = errors.New("not a plan")
	// ErrPlanDigest is returned when the digests of a stored plan are under
	// another key, or when what it hides cannot be checked without one.
	ErrPlanDigest = errors.New("the plan's digests cannot be checked")
	// ErrPlanSignature is returned when Options.PlanSigners are set and none of
	// them has signed the plan, and by calls that plan and apply in one.
	ErrPlanSignature = errors.New("the plan is not signed by an accepted key")
	// ErrPlanExpired is returned when the signature of a plan no longer counts.
	ErrPlanExpired = errors.New("the signature of the plan has expired")
)

// Error is the error of most calls. Op, Key and Object say where it happened,
// Err is the cause, for errors.Is and errors.As. Nothing in its text controls a
// terminal or a CI system; the texts of the errors in Err may be raw.
type Error struct {
	Op     string      // what was being done: "plan", "apply", …
	Key    Key         // the release; zero if it is about none
	Object diff.Object // the object; zero if it is about none
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
	return clean.Text(b.String())
}

func (e *Error) Unwrap() error { return e.Err }

// writeCause writes a cause and the hint to it. Further lines of the cause are
// indented below the first.
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
