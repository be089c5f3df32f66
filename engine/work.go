package engine

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// work is what a plan hands to the apply stage. It holds secrets, and never
// leaves the process. Apart from record, which becomes the outcome, nothing of
// it is changed.
type work struct {
	planner  *cluster.Cluster             // that the plan was made for
	storage  Storage                      // that its revision is recorded in
	release  Release                      // of a deploy; zero otherwise
	values   deployValues                 // that it was rendered with
	manifest *render.Manifest             // of a deploy
	lookedUp []*unstructured.Unstructured // Secrets that its templates have looked up
	seed     render.Seed                  // that its templates have drawn from, if they did
	// unsafeDelete is the permission that the plan was made with.
	unsafeDelete []diff.Object
	record       *storage.Record // the revision to record; nil for an uninstall
	history      *history        // as planning read it
	// steps are in the order of the report: writes in install order, then
	// deletions in uninstall order.
	steps    []step
	redactor *diff.Redactor
	// applyOrder and deleteOrder are what annotations ask for beyond the order
	// of kinds; nil: nothing, which is the rule.
	applyOrder, deleteOrder *annotatedOrder
	namespace               namespaceState
	hookPermissions         []Permission
	hookTargets             []hookTarget
	// asked are the permissions that making the plan took; nil for a plan that
	// was made to be applied at once.
	asked []Permission
	// rules are those of readiness, by kind, beside the built-in ones.
	rules map[schema.GroupKind]readiness.Rule
	// noted is what the revision notes from the beginning.
	noted noted
	// resumes: record is a revision that was left pending, and goes on.
	resumes bool
	// reverted is the revision that wanted what a deploy is planned for, failed, and
	// has been gone back from; nil: none.
	reverted *storage.Record
	// reviewed identifies the reviewed plan that is applied; empty: none was.
	reviewed string
	// recordOnly: no object changes, but what is recorded does.
	recordOnly bool
	// historyOnly: the release is uninstalled, and only its history goes.
	historyOnly bool
}

// isApplied reports whether the reviewed plan was applied completely before: its
// revision is the newest, and ended as planned.
func (w *work) isApplied() bool {
	last := w.history.last
	return w.reviewed != "" && last != nil && last.AppliedPlan == w.reviewed &&
		(last.Status == storage.StatusDeployed || last.Status == storage.StatusUninstalled)
}

// namespaceState is what planning knows of the release's own namespace.
type namespaceState struct {
	uid types.UID // empty: not known
	// missing: it does not exist, and applying creates it.
	missing bool
	// assumed: it does not exist, and something else creates it before.
	assumed bool
}

// created reports whether applying creates the namespace.
func (s namespaceState) created() bool { return s.missing && !s.assumed }

// annotatedOrder is what annotations say of the order of steps, which are
// known by their index.
type annotatedOrder struct {
	waves map[int]int   // of the steps that are not in wave 0
	needs map[int][]int // the steps that come before each
}

// objects are all that the plan is about, in all states, and its hooks.
func (w *work) objects() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, s := range w.steps {
		out = append(out, s.object.desired, s.object.live, s.object.base)
	}
	if w.record != nil {
		out = append(out, hookObjects(w.record)...)
	}
	return out
}

// ownNamespace is the step of the release's own namespace, if the manifest
// holds it; nil otherwise.
func (w *work) ownNamespace() *step {
	for i := range w.steps {
		o := w.steps[i].object
		if o.desired != nil && isNamespace(o.id) && w.record != nil && o.id.Name == w.record.Namespace {
			return &w.steps[i]
		}
	}
	return nil
}

// hookTarget is a hook that applying runs.
type hookTarget struct {
	target
	desired *unstructured.Unstructured
	awaited bool // until it has completed, or one that is deleted is gone
}
