package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
)

// builder assembles a plan from what was read and judged, none of which it
// changes.
type builder struct {
	e *Engine
	premise
	reading
	verdicts []verdict
}

// plan reads the objects, judges them, and completes the plan that a verb has
// begun. event names the hooks that run: "install", "upgrade", "rollback",
// "delete"; empty: none.
func (e *Engine) plan(ctx context.Context, p premise, want wanted, begun Plan, event string) (*Plan, error) {
	r, err := e.read(ctx, p, want)
	if err != nil {
		return nil, err
	}
	verdicts, err := e.judgeAll(ctx, p, r)
	if err != nil {
		return nil, err
	}
	b := &builder{e, p, r, verdicts}
	out := begun
	if out.work == nil {
		out.work = &work{}
	}
	out.work.planner, out.work.storage = b.e.cluster, b.e.opts.Storage
	if err := b.complete(ctx, &out, event); err != nil {
		return nil, err
	}
	return &out, b.protect(ctx, &out)
}

// protect adds what a plan that is stored is checked by: a new one, or one that
// is made again to be compared with one that was reviewed.
func (b *builder) protect(ctx context.Context, p *Plan) error {
	if b.asking.nonce == "" {
		return nil
	}
	if b.asking.reviewed == (reviewed{}) {
		var err error
		if p.Cluster, err = b.e.clusterOf(ctx, b.key, b.namespace); err != nil {
			return err
		}
	}
	p.DryRun = b.asking.DryRun
	d, err := b.e.digester(b.keeper(), b.asking.nonce)
	if err != nil {
		return err
	}
	return p.addDigests(d)
}

// complete fills in the plan in this order: steps, their order, the report,
// problems, and what applying takes.
func (b *builder) complete(ctx context.Context, p *Plan, event string) error {
	w := p.work
	w.record, w.history, w.namespace, w.redactor = b.record, b.history, b.namespace, b.redactor
	w.unsafeDelete, w.rules = b.asking.unsafeDelete, b.e.rules
	w.reviewed = b.asking.reviewed.plan
	p.Key = b.key
	if b.history.last != nil {
		p.From = b.history.last.Revision
	}
	if w.record != nil {
		w.record.ApplySet = b.set.wanted
	}
	quotas := b.newQuotas()
	found := b.addSteps(w, quotas)
	b.addReport(p, found)
	b.addProblems(p, found, quotas)
	w.recordOnly = b.recordsAnyway && w.record != nil
	if w.record != nil && p.Changed() {
		p.To = w.record.Revision
	}
	if p.Kind == PlanUninstall || p.To != 0 {
		if err := b.addHooks(ctx, p, event); err != nil {
			return err
		}
		if p.Kind.deploys() {
			if err := b.addLaterHooks(ctx, p, event); err != nil {
				return err
			}
		}
		// What goes on, and has written everything, has shown that it may.
		if !w.resumes || slices.ContainsFunc(w.steps, func(s step) bool { return s.change.Changed() }) {
			missing, err := b.missingPermissions(ctx, b.neededPermissions(p))
			if err != nil {
				return err
			}
			p.Missing = appendPermissions(p.Missing, missing...)
		}
	}
	p.summarize()
	return nil
}

// addSteps makes steps of the verdicts, and puts them in order.
func (b *builder) addSteps(w *work, quotas newQuotas) orderFindings {
	for i, v := range b.verdicts {
		o := b.objects[i]
		s := step{o, v.change, v.related, v.write.afterQuotas(quotas.in(o.id.Namespace))}
		for _, p := range v.problems {
			if note := quotas.settles(p); note != "" {
				s.write = v.write.afterQuotas(true)
				s.change.Local, s.change.Warnings = true, appendNew(slices.Clip(s.change.Warnings), note)
			}
		}
		w.steps = append(w.steps, s)
	}
	var found orderFindings
	w.applyOrder, found = b.applyOrder(w.steps)
	w.deleteOrder = deleteOrder(w.steps)
	for i, warnings := range found.warnings {
		change := &w.steps[i].change
		change.Warnings = slices.Clip(change.Warnings)
		for _, text := range warnings {
			change.Warnings = appendNew(change.Warnings, text)
		}
	}
	for i := range w.steps {
		change := &w.steps[i].change
		change.Warnings = hideTexts(b.redactor, change.Warnings)
	}
	return found
}

func (b *builder) addReport(p *Plan, found orderFindings) {
	w := p.work
	p.Report.Title = fmt.Sprintf("%s %s", strings.ToLower(string(p.Kind)), p.Key)
	if p.Chart != "" {
		p.Report.Title += " (" + p.Chart + ")"
	}
	p.Report.Notes = append(p.Report.Notes, w.applyOrder.notes(w.steps)...)
	p.Report.Notes = append(p.Report.Notes, ownerNotes(b.key, b.owner, w.steps)...)
	p.Report.Warnings = append(p.Report.Warnings, hideTexts(b.redactor, b.warnings)...)
	if w.namespace.created() && w.ownNamespace() == nil {
		p.Report.Changes = append(p.Report.Changes, diff.Change{
			Object: diff.Object{Version: "v1", Kind: "Namespace", Name: p.Key.Namespace},
			Action: diff.Created, Reason: "the release's namespace does not exist", Local: true,
		})
	}
	p.Report.Changes = slices.Grow(p.Report.Changes, len(w.steps))
	for _, gone := range b.unserved {
		p.Report.Changes = append(p.Report.Changes, diff.Change{Object: gone.Object, Action: diff.Created, Reason: "it was applied before, and is missing", Source: gone.Source, Local: true})
	}
	for _, s := range w.steps {
		if s.named() {
			p.Report.Changes = append(append(p.Report.Changes, s.change), s.related...)
		}
	}
}

func (b *builder) addProblems(p *Plan, found orderFindings, quotas newQuotas) {
	p.Problems = append(p.Problems, b.unserved...)
	for i, s := range p.work.steps {
		if !s.named() {
			continue
		}
		for _, problem := range slices.Concat(b.verdicts[i].problems, found.problems[i]) {
			if quotas.settles(problem) != "" {
				continue
			}
			if problem.Source == "" && s.object.desired != nil {
				problem.Source = s.object.source
			}
			p.Problems = append(p.Problems, problem.ofMode(b.mode).withQuotaHint(p.work.steps).hidden(b.redactor))
		}
		p.Missing = appendPermissions(p.Missing, b.verdicts[i].missing...)
	}
	if p.Kind == PlanUpgrade && !b.policy.unsafePrune {
		p.Problems = append(p.Problems, pruneProblems(p.work.steps)...)
	}
}

// summarize puts into the report what concerns the plan as a whole.
func (p *Plan) summarize() {
	p.Report.Warnings = append(p.Report.Warnings, p.blockingTexts()...)
	var hooks []string
	for _, h := range p.Hooks {
		text := fmt.Sprintf("%s %s %s", h.Event, h.Object.Kind, h.Object.Name)
		if h.Replaces {
			text += " (replaces the one that an earlier run left)"
		}
		hooks = append(hooks, text)
	}
	if len(hooks) > 0 {
		p.Report.Notes = append(p.Report.Notes, "hooks: "+strings.Join(hooks, ", "))
	}
}
