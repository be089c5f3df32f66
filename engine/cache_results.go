package engine

import (
	"maps"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
)

// perChange is about what an object takes in a result, in bytes, without its texts.
const perChange = 250

// keptProgress is what is remembered of a pass over a release that is as wanted.
// Its plan is as one that was read from JSON: it holds no objects, and so no
// secrets.
func keptProgress(p Progress) (kept Progress, size int, ok bool) {
	if p.Phase != PhaseDeployed || p.Changed || p.Err != nil || p.After != 0 || len(p.Waiting) > 0 || p.Plan == nil || p.Plan.Changed() {
		return Progress{}, 0, false
	}
	plan := *p.Plan
	plan.work = nil
	plan.Report, size = keptReport(plan.Report)
	plan.Preconditions, plan.Hooks, plan.LaterHooks = slices.Clone(plan.Preconditions), slices.Clone(plan.Hooks), slices.Clone(plan.LaterHooks)
	plan.Problems, plan.Missing = slices.Clone(plan.Problems), slices.Clone(plan.Missing)
	plan.TemplateDigests = maps.Clone(plan.TemplateDigests)
	p.Plan = &plan
	var more int
	p.Revision, more = keptRevision(p.Revision)
	return p, size + more + perChange, true
}

func keptRevision(r *Revision) (*Revision, int) {
	if r == nil {
		return nil, 0
	}
	kept := *r
	kept.Labels = maps.Clone(r.Labels)
	return &kept, perChange + len(r.Notes) + len(r.Cause) + len(r.Description)
}

func keptReport(r diff.Report) (kept diff.Report, size int) {
	r.Warnings, r.Notes = slices.Clone(r.Warnings), slices.Clone(r.Notes)
	r.Changes = slices.Clone(r.Changes)
	for i := range r.Changes {
		c := &r.Changes[i]
		c.Fields, c.Warnings = slices.Clone(c.Fields), slices.Clone(c.Warnings)
		size += perChange + lengths(c.Warnings) + len(c.Reason) + len(c.Source) + len(c.Object.Name) + perChange*len(c.Fields)
	}
	return r, size + lengths(r.Warnings) + lengths(r.Notes)
}

// keptDrift is what is remembered of a release without drift.
func keptDrift(r diff.Report) (kept diff.Report, size int, ok bool) {
	if slices.ContainsFunc(r.Changes, diff.Change.Changed) {
		return diff.Report{}, 0, false
	}
	kept, size = keptReport(r)
	return kept, size, true
}

// keptStatus is what is remembered of a release that is ready.
func keptStatus(s *Status) (kept *Status, size int, ok bool) {
	if !s.Ready {
		return nil, 0, false
	}
	revision, size := keptRevision(&s.Revision)
	kept = &Status{Revision: *revision, Ready: true, Objects: slices.Clone(s.Objects)}
	for i := range kept.Objects {
		d := &kept.Objects[i]
		d.Pods, d.Events = slices.Clone(d.Pods), slices.Clone(d.Events)
		size += perChange + len(d.Message) + perChange*(len(d.Pods)+len(d.Events))
	}
	return kept, size, true
}

func lengths(texts []string) (n int) {
	for _, t := range texts {
		n += len(t)
	}
	return n
}
