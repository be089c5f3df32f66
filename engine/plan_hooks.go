package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/render"
)

// triedHook is a hook that the API server is asked about, and what it says.
type triedHook struct {
	hook
	at       location
	before   bool // it runs before anything else is written
	shifting bool // a CRD of this release changes its kind's schema first
	// impossible: its kind is not served, or Options.Allow blocks it, so that
	// the API server is not asked.
	impossible bool
	index      int  // in Plan.Hooks
	replaces   bool // what an earlier run left
	problems   []Problem
	warnings   []string
}

// addHooks lists the hooks that the plan runs. One whose kind is not served, or
// that the API server refuses, is found here, before anything is written.
func (b *builder) addHooks(ctx context.Context, p *Plan, event string) error {
	record := p.work.record
	if p.Kind == PlanUninstall {
		record = b.history.last
	}
	var desired []render.Object
	for _, o := range b.objects {
		if o.desired != nil {
			desired = append(desired, render.Object{Unstructured: o.desired})
		}
	}
	named := map[diff.Object]bool{}
	for _, o := range b.objects {
		named[identity(o.id)] = o.desired != nil
	}
	locator := b.e.locator(b.key, kindsOf(desired...))
	var left noted // of a revision that is gone on with
	if p.work.resumes {
		left = readNotes(b.history.last)
	}
	var tried []*triedHook
	for _, phase := range []string{"pre-", "post-"} {
		for _, h := range hooksFor(record, phase+event) {
			run := left.Hooks[hookID(phase+event, h)].Phase
			if run == hookSucceeded {
				continue
			}
			at, err := locator.locate(ctx, h.parsed.Unstructured, h.parsed.Source)
			t := &triedHook{hook: h, at: at, before: phase == "pre-", index: len(p.Hooks)}
			switch {
			case errors.Is(err, ErrUnknownKind):
				t.at.id, t.impossible = h.object, true
				t.problems = append(t.problems, newProblem(ProblemUnknownKind, h.object, fmt.Sprintf("the API server serves no %s %s", h.parsed.GetAPIVersion(), h.parsed.GetKind()), "install its CustomResourceDefinition first"))
			case err != nil:
				return err
			default:
				if why := b.policy.blocked(Access{b.key, at.id, h.parsed.Unstructured}); why != nil {
					t.impossible = true
					t.problems = append(t.problems, blockedProblem(at.id, why))
					break
				}
				p.work.hookPermissions = append(p.work.hookPermissions, b.permissionsOfHook(h, at.target)...)
				p.work.hookTargets = append(p.work.hookTargets, hookTarget{at.target, h.parsed.Unstructured, endsByItself(at.target) || b.mayDelete(h)})
				if at.id.Name != "" && named[identity(at.id)] {
					t.problems = append(t.problems, newProblem(ProblemHook, at.id, "a hook and an object of the manifest have the same name", "rename one of them"))
				}
			}
			if run != "" {
				t.impossible = true // to ask about: it is there
			}
			tried = append(tried, t)
			planned, err := b.plannedHook(t.at.id, phase+event, h)
			if err != nil {
				return err
			}
			p.Hooks = append(p.Hooks, planned)
		}
	}
	return b.tryHooks(ctx, p, tried)
}

// plannedHook is a hook as the plan shows it.
func (b *builder) plannedHook(o diff.Object, event string, h hook) (PlannedHook, error) {
	u := h.parsed.Unstructured
	shown, err := diff.Compare(diff.Input{Object: o, Desired: u, Merged: u, Manager: b.manager}, diff.Options{Secrets: b.redactor})
	return PlannedHook{Object: shownAs(o, u), Event: event, Weight: h.weight, Fields: shown.Fields}, err
}

// addLaterHooks lists the hooks that the plan of a deploy records and does not
// run. One that Options.Allow blocks is a problem now: when it is to run, the
// release could not be uninstalled or rolled back.
func (b *builder) addLaterHooks(ctx context.Context, p *Plan, event string) error {
	locator := b.e.locator(b.key, nil)
	for _, h := range hooksFor(p.work.record, "") {
		if slices.Contains(h.stored.Events, "pre-"+event) || slices.Contains(h.stored.Events, "post-"+event) {
			continue
		}
		planned, err := b.plannedHook(h.object, strings.Join(h.stored.Events, ","), h)
		if err != nil {
			return err
		}
		p.LaterHooks = append(p.LaterHooks, planned)
		problem, err := b.blockedLater(ctx, locator, h)
		if err != nil {
			return err
		}
		if problem != nil {
			p.Problems = append(p.Problems, *problem)
		}
	}
	return nil
}

// blockedLater is the problem of a hook that Options.Allow blocks; nil: there is
// none, or its kind is not served yet, and it is judged when it runs.
func (b *builder) blockedLater(ctx context.Context, locator *locator, h hook) (*Problem, error) {
	if b.policy.allow == nil {
		return nil, nil
	}
	at, err := locator.locate(ctx, h.parsed.Unstructured, h.parsed.Source)
	if errors.Is(err, ErrUnknownKind) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	why := b.policy.blocked(Access{b.key, at.id, h.parsed.Unstructured})
	if why == nil {
		return nil, nil
	}
	problem := ofHook(blockedProblem(shownAs(at.id, h.parsed.Unstructured), why), h).hidden(b.redactor)
	return &problem, nil
}

// ofHook is a problem of a hook, which can be left out.
func ofHook(p Problem, h hook) Problem {
	p.Source, p.Hook = h.parsed.Source, true
	p.Hint += ", or leave hooks out by ApplyOptions.NoHooks"
	return p
}

// permissionsOfHook are those to create a hook, and to delete it.
func (b *builder) permissionsOfHook(h hook, t target) []Permission {
	verbs := []string{"create", "get"}
	if b.mayDelete(h) {
		verbs = append(verbs, "delete")
	}
	var out []Permission
	for _, verb := range verbs {
		p := permissionTo(verb, t)
		p.HooksOnly = true
		out = append(out, p)
	}
	return out
}

// mayDelete reports whether a hook is deleted: one that an earlier revision left,
// or that its policy does not let stay.
func (b *builder) mayDelete(h hook) bool {
	return b.history.installed() || slices.Contains(h.stored.DeletePolicies, string(render.HookSucceeded)) || slices.Contains(h.stored.DeletePolicies, string(render.HookFailed))
}

// tryHooks asks the API server by dry-runs whether it would create the hooks.
// What it refuses becomes problems of the plan. It is not asked about what waits
// for the release: for its namespace, or for a CRD that is created or changes.
func (b *builder) tryHooks(ctx context.Context, p *Plan, hooks []*triedHook) error {
	shifting := shiftingKinds(b.objects, b.verdicts)
	for kind := range b.asking.assume.kinds() {
		shifting[kind] = true
	}
	for _, h := range hooks {
		for kind := range kindsOf(h.parsed) {
			shifting[kind] = true
		}
	}
	asked := map[string]bool{}
	work := parallel.New(ctx, b.e.opts.Concurrency)
	for _, h := range hooks {
		h.shifting = !h.impossible && shifting[h.at.groupKind()]
		text := h.stored.Path + "\n" + h.stored.Manifest
		if asked[text] || !b.mayTry(h) {
			continue
		}
		asked[text] = true // it may run both before and after
		work.Do(func(ctx context.Context) error {
			ctx, warned := cluster.WithWarnings(ctx)
			err := b.tryHook(ctx, p.Kind, h)
			for _, w := range warned.Texts() {
				h.warnings = append(h.warnings, b.redactor.String(w))
			}
			return hideError(b.redactor, h.at.id, explain("plan", b.key, shownAs(h.at.id, h.parsed.Unstructured), err))
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	for _, h := range hooks {
		p.Hooks[h.index].Replaces = h.replaces
		for _, w := range h.warnings {
			p.Report.Warnings = appendNew(p.Report.Warnings, fmt.Sprintf("%s: %s", shownAs(h.at.id, h.parsed.Unstructured), w))
		}
		for _, problem := range h.problems {
			problem = problem.ofMode(b.mode).hidden(b.redactor)
			problem.Object = shownAs(problem.Object, h.parsed.Unstructured)
			p.Problems = append(p.Problems, ofHook(problem, h.hook))
		}
	}
	return nil
}

func (b *builder) mayTry(h *triedHook) bool {
	return !h.impossible && b.asking.DryRun != DryRunNone && !h.shifting && h.at.readAs == nil && !h.at.pending && !b.createdNamespaces[h.at.id.Namespace]
}

func (b *builder) tryHook(ctx context.Context, kind PlanKind, h *triedHook) error {
	o := metav1.CreateOptions{FieldManager: b.manager, DryRun: []string{metav1.DryRunAll}}
	if !b.isLenient() && (kind == PlanInstall || kind == PlanUpgrade) {
		o.FieldValidation = metav1.FieldValidationStrict
	}
	u := normalized(h.parsed.DeepCopy(), nil)
	if cluster.Namespaced(h.at.mapping) {
		u.SetNamespace(h.at.id.Namespace)
	}
	removeAllocated(u) // which the one that an earlier run left may have
	_, err := b.e.cluster.Resource(h.at.mapping, h.at.id.Namespace).Create(ctx, u, o)
	switch {
	case err == nil:
		return nil
	case apierrors.IsAlreadyExists(err): // what exists was found valid first
		return b.judgeLeft(ctx, h)
	case apierrors.IsNotFound(err):
		return nil // what it is in, or refers to, may be created by an earlier hook
	case apierrors.IsForbidden(err) && lacksPermission(err):
		return nil // Plan.Missing has it
	case isTerminating(err):
		h.problems = append(h.problems, newProblem(ProblemTerminating, h.at.id, b.redactor.String(err.Error()), "wait until it is gone, then call again"))
		return nil
	case strings.Contains(err.Error(), "does not support dry run"):
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), isAdmission(err):
		if undecodable.MatchString(err.Error()) {
			if misfit := b.misfitOf(ctx, u); misfit != nil {
				err = misfit // which says where
			}
		}
		h.problems = append(h.problems, refusalOf(h.at.id, false, err, b.redactor).problems...)
		return nil
	case apierrors.IsForbidden(err):
		stays, readErr := b.staysForbidden(ctx, h, err)
		if readErr != nil {
			return readErr
		}
		if stays {
			h.problems = append(h.problems, refusalOf(h.at.id, false, err, b.redactor).problems...)
			return nil
		}
	default:
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			return err
		}
	}
	h.warnings = append(h.warnings, "whether the hook can be created is not known: "+hide(b.redactor, h.at.id, err.Error()))
	return nil
}

// misfitOf is what keeps an object from fitting the schema of its kind, with the
// paths of all fields; nil if nothing does, or it is not known.
func (b *builder) misfitOf(ctx context.Context, u *unstructured.Unstructured) error {
	_, err := b.e.cluster.Merger.Merge(ctx, merge.Request{Desired: u, Manager: b.manager})
	var invalid *merge.InvalidError
	if !errors.As(err, &invalid) {
		return nil
	}
	return invalid.Err
}

// judgeLeft decides about the live object of a hook's name: one that an earlier
// run left is replaced if the hook's policy says so, and anything else is a
// problem.
func (b *builder) judgeLeft(ctx context.Context, h *triedHook) error {
	live, err := b.e.cluster.Resource(h.at.mapping, h.at.id.Namespace).Get(ctx, h.at.id.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err) && lacksPermission(err):
		h.warnings = append(h.warnings, "an object of the hook's name exists, and without the permission to read it it is not known whose it is")
		return nil
	case err != nil:
		return fmt.Errorf("read: %w", err)
	}
	if len(h.problems) > 0 { // an object of the manifest has its name
		return nil
	}
	leaving := false
	for i, o := range b.objects {
		leaving = leaving || identity(o.id) == identity(h.at.id) && b.verdicts[i].change.Action == diff.Deleted
	}
	why := notOurHook(b.key, live, leaving)
	switch {
	case why != "" && owner(live) != (Key{}):
		h.problems = append(h.problems, newProblem(ProblemOwned, h.at.id, "a hook would replace it: "+why, "rename the hook"))
	case why != "":
		h.problems = append(h.problems, newProblem(ProblemUnowned, h.at.id, "a hook would replace it: "+why, "rename the hook, or delete the object first"))
	case h.deletedBefore():
		h.replaces = true
	case live.GetDeletionTimestamp() == nil && (h.before || !leaving):
		h.problems = append(h.problems, newProblem(ProblemHook, h.at.id, "an earlier run left it, and its delete policy does not delete it before it is created again", leftBehindHint))
	}
	return nil
}

// staysForbidden reports whether a refusal by quota or admission will still hold
// when the hook runs: not if it depends on what may exist by then, if the release
// has changed it, or if a quota counts the hook that an earlier run left, which
// is deleted first.
func (b *builder) staysForbidden(ctx context.Context, h *triedHook, refusal error) (bool, error) {
	text := refusal.Error()
	if !h.before || strings.Contains(text, "not found") || strings.Contains(text, "was found") {
		return false, nil
	}
	if h.at.id.Name == "" {
		return true, nil
	}
	_, err := b.e.cluster.Resource(h.at.mapping, h.at.id.Namespace).Get(ctx, h.at.id.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err == nil, apierrors.IsForbidden(err):
		return false, nil
	}
	return false, fmt.Errorf("read: %w", err)
}
