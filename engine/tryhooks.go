package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/render"
)

// triedHook is a hook that the API server is asked about, and what it says.
type triedHook struct {
	hook
	it       *item
	first    bool // it runs before anything else is written
	warnings []string
}

// tryHooks asks the API server, by requests that write nothing, whether it
// would create the hooks that the plan runs. What it refuses becomes problems
// of the plan. It is not asked about what waits for the release: for its
// namespace, or for a definition that comes or changes.
func (pl *planning) tryHooks(ctx context.Context, p *Plan, hooks []*triedHook) error {
	shifting := shiftedKinds(p.work.items)
	for _, h := range hooks {
		for kind := range ownKinds([]render.Object{h.parsed}) {
			shifting[kind] = true
		}
	}
	asked := map[string]bool{}
	work := newLimited(ctx, pl.e.opts.Concurrency)
	for _, h := range hooks {
		h.it.shifts = shifting[h.it.mapping.GroupVersionKind.GroupKind()]
		text := h.stored.Path + "\n" + h.stored.Manifest
		if asked[text] || !pl.mayAsk(h.it) {
			continue
		}
		asked[text] = true // it may run both before and after
		work.do(func(ctx context.Context) error {
			ctx, warned := withWarnings(ctx)
			err := pl.tryHook(ctx, p, h)
			for _, w := range warned.texts {
				h.warnings = append(h.warnings, p.work.redactor.String(w))
			}
			return hideError(p.work.redactor, h.it.object, explain("plan", pl.key, h.it.object, err))
		})
	}
	if err := work.wait(); err != nil {
		return err
	}
	for _, h := range hooks {
		for _, w := range h.warnings {
			p.Report.Warnings = appendNew(p.Report.Warnings, fmt.Sprintf("%s: %s", h.it.object, w))
		}
		for _, problem := range h.it.problems {
			problem.Source, problem.Hook = h.it.source, true
			problem.Hint += ", or leave hooks out by ApplyOptions.NoHooks"
			p.Problems = append(p.Problems, problem)
		}
	}
	return nil
}

// tryHook asks about one.
func (pl *planning) tryHook(ctx context.Context, p *Plan, h *triedHook) error {
	redactor := p.work.redactor
	o := metav1.CreateOptions{FieldManager: pl.manager, DryRun: []string{metav1.DryRunAll}}
	if p.Kind == PlanInstall || p.Kind == PlanUpgrade {
		// What is stored ran with its unknown fields before, and cannot be
		// mended any more: of it they are no more than warnings.
		o.FieldValidation = metav1.FieldValidationStrict
	}
	u := h.parsed.DeepCopy()
	if namespaced(h.it.mapping) {
		u.SetNamespace(h.it.object.Namespace)
	}
	withoutAllocated(u) // which the one that an earlier run left may have
	_, err := pl.e.c.resource(h.it.mapping, h.it.object.Namespace).Create(ctx, u, o)
	switch {
	case err == nil, apierrors.IsAlreadyExists(err): // what exists was found valid first
		return nil
	case apierrors.IsNotFound(err):
		return nil // what it is in, or refers to, may come by an earlier hook
	case apierrors.IsForbidden(err) && lacksRight(err):
		return nil // Plan.Missing tells
	case isTerminating(err):
		h.it.problem(ProblemTerminating, redactor.String(err.Error()), "wait until it is gone, then call again")
		return nil
	case strings.Contains(err.Error(), "does not support dry run"):
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), isAdmission(err):
		h.it.refused(err, redactor)
		return nil
	case apierrors.IsForbidden(err):
		stays, readErr := pl.staysForbidden(ctx, h, err)
		if readErr != nil {
			return readErr
		}
		if stays {
			h.it.refused(err, redactor)
			return nil
		}
	default:
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			return err
		}
	}
	h.warnings = append(h.warnings, "whether the hook may be created is not known: "+hide(redactor, h.it.object, err.Error()))
	return nil
}

// staysForbidden says whether a refusal by quota or admission will still hold
// when the hook runs: not if it is about what may be there by then, if the
// release has changed what is there, or if a quota counts the one that an
// earlier run left, which goes first.
func (pl *planning) staysForbidden(ctx context.Context, h *triedHook, refusal error) (bool, error) {
	text := refusal.Error()
	if !h.first || strings.Contains(text, "not found") || strings.Contains(text, "was found") {
		return false, nil
	}
	if h.it.object.Name == "" {
		return true, nil
	}
	_, err := pl.e.c.resource(h.it.mapping, h.it.object.Namespace).Get(ctx, h.it.object.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return true, nil
	case err == nil, apierrors.IsForbidden(err):
		return false, nil
	}
	return false, fmt.Errorf("read: %w", err)
}
