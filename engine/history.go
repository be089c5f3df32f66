package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// RevisionStatus is the status of a revision, with Helm's values. No revision
// has the empty status.
type RevisionStatus string

const (
	StatusDeployed        RevisionStatus = "deployed"
	StatusSuperseded      RevisionStatus = "superseded"
	StatusFailed          RevisionStatus = "failed"
	StatusUninstalling    RevisionStatus = "uninstalling"
	StatusUninstalled     RevisionStatus = "uninstalled"
	StatusPendingInstall  RevisionStatus = "pending-install"
	StatusPendingUpgrade  RevisionStatus = "pending-upgrade"
	StatusPendingRollback RevisionStatus = "pending-rollback"
)

// Revision is one entry of a release's history.
type Revision struct {
	Key
	Revision    int            `json:"revision"`
	Status      RevisionStatus `json:"status"`
	Chart       string         `json:"chart,omitempty"` // name-version
	AppVersion  string         `json:"appVersion,omitempty"`
	Cause       string         `json:"cause,omitempty"`
	Description string         `json:"description,omitempty"`
	Updated     time.Time      `json:"updated,omitzero"`
	// Labels are those of the release, which Helm lists too.
	Labels map[string]string `json:"labels,omitempty"`
	// Notes is the rendered NOTES.txt, to be printed: values of the release's
	// Secrets are hidden, and nothing in it controls a terminal or a CI system.
	// The stored revision has it as it was rendered. Set by calls that deploy and
	// by Status, empty in listings.
	Notes string `json:"notes,omitempty"`
	// Broken is why the stored revision cannot be read; empty if it can.
	Broken string `json:"broken,omitempty"`
}

// String returns one line: "namespace/name revision 3 is deployed: cause", in
// which nothing controls a terminal or a CI system.
func (r Revision) String() string {
	s := fmt.Sprintf("%s revision %d is %s", r.Key, r.Revision, r.Status)
	if r.Cause != "" {
		s += ": " + r.Cause
	}
	return clean.Line(s)
}

// revisionOf returns a revision with its notes, in which the redactor hides
// values: a chart that generates a password mostly prints it there.
func revisionOf(r *storage.Record, redactor *diff.Redactor) *Revision {
	if r == nil {
		return nil
	}
	rev := revisionFrom(r.Meta())
	rev.Notes = clean.Text(redactor.String(r.Notes))
	return &rev
}

func revisionFrom(m storage.Meta) Revision {
	return Revision{
		Key: Key{m.Namespace, m.Name}, Revision: m.Revision, Status: RevisionStatus(m.Status),
		Chart: chartName(m.Chart, m.Version), AppVersion: m.AppVersion, Cause: m.Cause, Description: m.Description, Updated: m.LastDeployed, Labels: m.Labels,
	}
}

// History returns the stored revisions of a release, oldest first, those that
// Helm recorded included. It returns ErrReleaseNotFound if there are none. A
// revision that cannot be read is listed, with Broken set.
func (e *Engine) History(ctx context.Context, k Key) ([]Revision, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	metas, err := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if err != nil {
		return nil, explain("history", k, diff.Object{}, err)
	}
	if len(metas) == 0 {
		return nil, notFound("history", k)
	}
	return e.revisions(ctx, metas)
}

// revisions returns the revisions of metas. It reads the bodies of those that
// Helm recorded, which have no annotations.
func (e *Engine) revisions(ctx context.Context, metas []storage.Meta) ([]Revision, error) {
	out := make([]Revision, len(metas))
	for i, m := range metas {
		out[i] = revisionFrom(m)
	}
	err := e.store.Details(ctx, metas, e.opts.Concurrency, func(i int, m storage.Meta, broken *storage.DecodeError) {
		if broken != nil {
			out[i].Broken = broken.Error()
			return
		}
		out[i] = revisionFrom(m)
	})
	if err != nil {
		return nil, explain("history", Key{}, diff.Object{}, err)
	}
	return out, nil
}

// ListOptions select releases. The zero value selects all of them in all
// namespaces.
type ListOptions struct {
	// Namespace to look in. Empty: all.
	Namespace string
	// Statuses to list. Empty: all but StatusSuperseded, which a release's
	// newest revision has only if the newer ones were deleted by hand. Listing
	// those reads all revisions. A status that does not exist is an error.
	Statuses []RevisionStatus
	// Selector selects by the labels of the newest revision, in the notation of
	// kubectl get -l: "team=shop,tier!=test". Empty: all.
	Selector string
}

// List returns the newest revision of each release, those that Helm recorded
// included, ordered by namespace and name. It reads labels and annotations, and
// the bodies of only those that Helm recorded.
func (e *Engine) List(ctx context.Context, opts ListOptions) ([]Revision, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	selector, err := releaseSelector("ListOptions.Selector", opts.Selector)
	if err != nil {
		return nil, refused("list", Key{}, err)
	}
	superseded := slices.Contains(opts.Statuses, StatusSuperseded)
	metas, err := e.store.Newest(ctx, opts.Namespace, superseded)
	if err != nil {
		return nil, explain("list", Key{}, diff.Object{}, err)
	}
	metas = slices.DeleteFunc(metas, func(m storage.Meta) bool {
		return len(opts.Statuses) > 0 && !slices.Contains(opts.Statuses, RevisionStatus(m.Status)) || !selector.Matches(labels.Set(m.Labels))
	})
	foreign := map[int]storage.Meta{} // by place
	for i, m := range metas {
		if !m.Annotated {
			foreign[i] = m
		}
	}
	if len(foreign) <= e.opts.Concurrency {
		return e.revisions(ctx, metas)
	}
	out := make([]Revision, len(metas))
	for i, m := range metas {
		out[i] = revisionFrom(m)
	}
	if err := e.store.Bodies(ctx, opts.Namespace, superseded, foreign, func(i int, r *storage.Record, broken *storage.DecodeError) {
		if broken != nil {
			out[i].Broken = broken.Error()
			return
		}
		out[i] = revisionFrom(r.Meta())
	}); err != nil {
		return nil, explain("list", Key{}, diff.Object{}, err)
	}
	return out, nil
}

func notFound(op string, k Key) error {
	return &Error{Op: op, Key: k, Hint: "check name and namespace; List returns all releases", Err: ErrReleaseNotFound}
}

func revisionNotFound(op string, k Key, revision int) error {
	return &Error{Op: op, Key: k, Hint: "History returns the stored revisions", Err: fmt.Errorf("%w: %d", ErrRevisionNotFound, revision)}
}
