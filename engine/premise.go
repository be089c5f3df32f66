package engine

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// mode is what a plan does to the release.
type mode int

const (
	// deploying: what a source renders becomes the release.
	deploying mode = iota
	// rollingBack: an earlier revision becomes the release again.
	rollingBack
	// correcting: changes that others made since the newest revision are undone.
	correcting
	// comparing: they are only reported, against what each object's last
	// revision wrote, because the newest one did not become healthy.
	comparing
	// rollingOut: one field of one workload is set.
	rollingOut
	// uninstalling: everything of the release is deleted.
	uninstalling
)

// restores reports whether what is desired comes from the history, so that its
// annotations and sizes may be out of date.
func (m mode) restores() bool { return m == rollingBack || m.undoesDrift() }

// undoesDrift reports whether fields that others changed are taken back.
func (m mode) undoesDrift() bool { return m == correcting || m == comparing }

// keepsMembers reports whether an apply set stays as the newest revision left
// it.
func (m mode) keepsMembers() bool { return m.undoesDrift() || m == rollingOut }

// purpose is what a plan is needed for, which decides how much is asked of the
// API server beforehand.
type purpose int

const (
	// forReview: the plan is shown, and perhaps stored.
	forReview purpose = iota
	// forApply: a plan that was reviewed is made again, to be compared and
	// applied.
	forApply
	// immediate: the plan is applied at once, without review.
	immediate
)

// trusts reports whether a new object needs no dry-run: the write is as good a
// question.
func (p purpose) trusts(u *unstructured.Unstructured) bool {
	return p != forReview && isPlain(u) && isOrdinary(u)
}

// asking is how a plan is made.
type asking struct {
	DryRun  DryRun
	purpose purpose
	// rendered is planned in place of rendering again, and values are those that it
	// was rendered with; nil: render.
	rendered *render.Manifest
	values   deployValues
	// chartValues take the place of the chart's own; nil: its own.
	chartValues *render.Values
	// lookedUp are the Secrets that its templates have looked up.
	lookedUp []*unstructured.Unstructured
	// cause takes the place of that of a rollback; empty: its own.
	cause string
	// force and adopt are as in Release, for every mode.
	force, adopt bool
	// purge plans the deletion of the history of an uninstalled release.
	purge bool
	// reverts: the plan goes back from a deploy that has just failed.
	reverts bool
	// unsafeDelete are objects that may be deleted along with what they hold.
	unsafeDelete []diff.Object
	// assume are Namespaces and definitions that will exist by the time the plan
	// is applied.
	assume assumed
	// nonce is that of the plan; empty: it cannot be stored, and has no digests.
	nonce string
	// reviewed is the plan that is made again, to be applied; zero: none.
	reviewed reviewed
	// renderedAt is the time that templates are rendered with, and seed what those
	// of rendered have drawn from.
	renderedAt time.Time
	seed       render.Seed
	// pass: the plan is that of one pass of Reconcile, which may go on with the
	// newest revision.
	pass bool
	// recorded is what a revision was rendered with, and is again; nil: it is rendered.
	recorded *recordedRender
	// revertsFrom is the revision that the plan of a pass goes back from; 0: none.
	revertsFrom int
}

// resumes reports whether the plan may go on with a revision that was left pending.
// One that is shown, and applied later, records its own.
func (a asking) resumes() bool { return a.purpose != forReview && a.reviewed == (reviewed{}) }

// recordedRender is what the templates of a revision were rendered with.
type recordedRender struct {
	of       *storage.Record
	upgrade  bool
	at       time.Time
	revision int
	// reverted: the newest revision goes back from this one.
	reverted bool
}

// reviewed is what of a reviewed plan matters when it is made again.
type reviewed struct {
	plan     string // identifies it, with all that it says
	from, to int    // its revisions
}

// policy is what the caller and the engine's options allow.
type policy struct {
	adopt, force, unsafePrune bool

	formerManagers []string
	ownership      []Ownership
	replace        []Replace
	definitions    CRDPolicy
	fields         FieldValidation
	applySet       bool
	allow          func(Access) error
	// unsafeDelete are the objects, by identity, that may be deleted along with
	// what they hold.
	unsafeDelete map[diff.Object]bool
}

// premise is what holds for one plan as a whole. Engine.premise completes it,
// for every verb; afterwards it is not changed.
type premise struct {
	key    Key
	mode   mode
	asking asking
	cause  string // for workloads whose pods change

	history   *history
	namespace namespaceState
	record    *storage.Record // the revision that applying records; nil for an uninstall
	// hidden are objects beside those of the plan whose Secrets are hidden.
	hidden []*unstructured.Unstructured
	// workload and field are what a rollout sets, even if another manager owns
	// the field; zero in other modes.
	workload diff.Object // by identity
	field    string

	policy  policy
	manager string // the engine's own field manager
	owner   *metav1.OwnerReference
	set     applySet
	// recordsAnyway: the recorded revision differs from the newest one,
	// whatever becomes of the objects.
	recordsAnyway bool
}

// premise completes what a verb has filled in by what follows from it and from
// the engine's options. release is that of a deploy; zero otherwise.
func (e *Engine) premise(p premise, release Release) premise {
	p.manager = e.opts.FieldManager
	p.policy = policy{
		adopt: release.Adopt || p.asking.adopt, force: release.Force || p.asking.force, unsafePrune: release.UnsafePrune,
		formerManagers: e.opts.FormerManagers, ownership: e.opts.Ownership, replace: e.opts.Replace,
		definitions: e.opts.CRDs, fields: e.opts.FieldValidation, applySet: e.opts.ApplySet, allow: e.opts.Allow,
		unsafeDelete: map[diff.Object]bool{},
	}
	for _, o := range p.asking.unsafeDelete {
		p.policy.unsafeDelete[identity(o)] = true
	}
	if p.mode == deploying {
		p.owner = release.Owner
	} else if p.history.last != nil {
		p.owner = p.history.last.Owner
	}
	if p.record != nil {
		at := e.opts.Storage
		p.record.Owner, p.record.Owned = p.owner, !at.elsewhere() && at.namespaceOf(p.key) == p.key.Namespace
	}
	p.set = p.applySet()
	p.recordsAnyway = p.recordDiffers()
	return p
}

// recordDiffers reports whether a revision is recorded even if no object
// changes.
func (p premise) recordDiffers() bool {
	switch {
	case p.record == nil:
		return true
	case p.mode.undoesDrift():
		return p.record.Revision == p.history.last.Revision // a pass goes on with it, and its outcome is to be recorded
	case p.mode == rollingOut && p.record.Manifest.Equal(p.history.last.Manifest):
		return p.history.last.Status.Pending() // its outcome is to be recorded
	}
	return recordDiffers(p.history.last, p.record) || p.mode == deploying && (!maps.Equal(p.history.last.Labels, p.record.Labels) || !sameOwner(p.history.last.Owner, p.record.Owner))
}
