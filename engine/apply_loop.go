package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// maxRaces bounds how often a plan is made again because another operation,
// without a lock, recorded a revision in between.
const maxRaces = 5

// carryOut plans, and applies the plan under the release's lock. What was
// planned while another operation was in progress is planned again.
func (e *Engine) carryOut(ctx context.Context, k Key, operation Operation, opts ApplyOptions, plan func(context.Context) (*Plan, error)) (rev *Revision, err error) {
	if err := opts.validate(string(operation), k); err != nil {
		return nil, err
	}
	if len(e.opts.PlanSigners) > 0 && operation != OperationApply {
		return nil, &Error{Op: string(operation), Key: k, Hint: "plan, have the plan signed, and call Apply", Err: ErrPlanSignature}
	}
	defer e.reportCall(operation, k)(&rev, &err) // when the lock is released
	return e.planAndApply(e.writing(ctx, k), k, operation, opts, plan)
}

// planAndApply is carryOut without its events Started and Ended.
func (e *Engine) planAndApply(ctx context.Context, k Key, operation Operation, opts ApplyOptions, plan func(context.Context) (*Plan, error)) (*Revision, error) {
	op := string(operation)
	l := e.newLock(ctx, k)
	defer l.Release()
	turn := &turns{e: e, key: k, lock: l, opts: opts}
	for race := 0; ; race++ {
		p, err := plan(ctx)
		if err != nil {
			return nil, explain(op, k, diff.Object{}, err)
		}
		if p.work.historyOnly || p.work.isApplied() && p.Changed() { // by others since
			last := revisionFrom(p.work.history.last.Meta()) // without notes: its Secrets were not read
			if p.work.historyOnly {
				err = e.store.Forget(ctx, k.Namespace, p.work.history.inventory)
			}
			return &last, explain(op, k, diff.Object{}, err)
		}
		if err := p.refusal(opts.NoHooks); err != nil {
			if race < maxRaces && e.waitTerminated(ctx, p, opts) {
				continue
			}
			return nil, err
		}
		if !p.Changed() {
			return e.finishUnchanged(ctx, p, opts)
		}
		waited, err := turn.await(ctx, p.work.history)
		if err != nil {
			return nil, explain(op, k, diff.Object{}, err)
		}
		if waited {
			continue // the other operation has changed what was planned from
		}
		if p.work.namespace.missing {
			if err := e.createNamespace(ctx, p); err != nil {
				return nil, explain(op, k, diff.Object{}, err)
			}
		}
		r := newRun(e, p, opts, l)
		rev, err := r.execute(ctx)
		if r.isReverted(ctx, err) {
			l.Release() // its context may have ended
			return rev, e.revert(ctx, r, err)
		}
		var reserved *storage.ReservedError
		if errors.As(err, &reserved) {
			if err := turn.awaitClaim(ctx, reserved.Claim); err != nil {
				return nil, explain(op, k, diff.Object{}, err)
			}
			continue
		}
		if !errors.Is(err, errRaced) {
			return rev, err
		}
		if race >= maxRaces {
			return nil, &Error{Op: op, Key: k, Hint: "call again when it has finished", Err: fmt.Errorf("%w: it recorded revision %d first", ErrBusy, r.record.Revision)}
		}
	}
}

// finishUnchanged ends a call whose plan changes nothing. It does what an
// operation left undone that was killed when its work was done: earlier
// revisions still recorded as deployed, and a number that it has reserved.
func (e *Engine) finishUnchanged(ctx context.Context, p *Plan, opts ApplyOptions) (*Revision, error) {
	e.events.emit(Planned{about(p.Key), p.Report.Summary(), 0, true})
	r := newRun(e, p, opts, nil)
	r.record = p.work.history.last
	r.reportUnchanged()
	stored := p.work.history.inventory.Revisions
	if err := r.retireAll(ctx, stored[:max(0, len(stored)-1)]); err != nil {
		return r.revision(), explain("record", p.Key, diff.Object{}, err)
	}
	e.tidyReserved(ctx, p.work.history)
	return r.revision(), r.waitReady(ctx)
}

// waitTerminated waits until objects that the plan wants, and that are being
// deleted, are gone, if they are the only obstacle. It reports whether they
// are gone.
func (e *Engine) waitTerminated(ctx context.Context, p *Plan, opts ApplyOptions) bool {
	if len(p.Missing) > 0 {
		return false
	}
	terminating := map[diff.Object]bool{}
	for _, problem := range p.Problems {
		switch {
		case problem.Hook && opts.NoHooks:
		case problem.Hook || problem.Kind != ProblemTerminating:
			return false
		default:
			terminating[problem.Object] = true
		}
	}
	if len(p.Problems) == 0 {
		return false
	}
	var targets []readiness.Target
	for _, s := range p.work.steps {
		if o := s.object; terminating[o.id] && o.live != nil {
			targets = append(targets, readinessTarget(o.target, o.live))
			e.events.emit(Waiting{EventMeta: about(p.Key), Object: o.id, Message: "it is being deleted"})
		}
	}
	ctx, cancel := context.WithTimeout(ctx, opts.timeout())
	defer cancel()
	return len(targets) == 0 || readiness.WaitGone(ctx, targets, e.waitOptions()) == nil
}
