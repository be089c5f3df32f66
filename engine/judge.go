package engine

import (
	"context"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/merge"
)

// judge decides what becomes of each object of a plan. It changes none of
// them, and reaches the cluster only through the interfaces it is given.
type judge struct {
	premise
	reading
	merger merger
	dryRun dryRunner
	lister lister

	concurrency int
	scalers     scalers
	// released are the workloads, by identity, whose autoscaler the plan deletes.
	released map[diff.Object]bool
	classes  *storageClasses
	// planned are the release's own custom resources whose definitions it
	// brings, by identity, as they will be; nil for those that are deleted.
	planned map[diff.Object]*unstructured.Unstructured
	// shifting are the kinds whose live CRD the plan changes: whether their
	// objects are valid shows only when that has happened.
	shifting map[schema.GroupKind]bool
	// departing are the objects that the plan deletes in any case.
	departing departing
}

// judgeAll judges every object; verdict i is that of object i. CRDs are judged
// first, because the other verdicts depend on which of them change.
func (e *Engine) judgeAll(ctx context.Context, p premise, r reading) ([]verdict, error) {
	api := apiServer{e}
	j := &judge{
		premise: p, reading: r, merger: e.cluster.Merger, dryRun: api, lister: api,
		concurrency: e.opts.Concurrency, classes: &storageClasses{}, planned: plannedResources(r), released: map[diff.Object]bool{},
		departing: departingOf(p, r),
	}
	var err error
	if j.scalers, err = j.findScalers(ctx); err != nil {
		return nil, err
	}
	return j.all(ctx)
}

func (j *judge) all(ctx context.Context) ([]verdict, error) {
	verdicts := make([]verdict, len(j.objects))
	if err := j.each(ctx, verdicts, func(o *object) bool { return o.isDefinition() }); err != nil {
		return nil, err
	}
	j.shifting = shiftingKinds(j.objects, verdicts)
	for kind := range j.asking.assume.kinds() {
		j.shifting[kind] = true
	}
	return verdicts, j.each(ctx, verdicts, func(o *object) bool { return !o.isDefinition() })
}

// shiftingKinds are the kinds whose live CRD the plan changes.
func shiftingKinds(objects []*object, verdicts []verdict) map[schema.GroupKind]bool {
	out := map[schema.GroupKind]bool{}
	for i, o := range objects {
		if o.isDefinition() && o.desired != nil && o.live != nil && verdicts[i].change.Changed() {
			for kind := range kindsDefinedBy(o.desired) {
				out[kind] = true
			}
		}
	}
	return out
}

// each judges the objects that are selected, concurrently.
func (j *judge) each(ctx context.Context, verdicts []verdict, selected func(*object) bool) error {
	work := parallel.New(ctx, j.concurrency)
	for i, o := range j.objects {
		if !selected(o) {
			continue
		}
		work.Do(func(ctx context.Context) (err error) {
			ctx, warned := cluster.WithWarnings(ctx)
			v, err := j.judge(ctx, o)
			if err != nil {
				return hideError(j.redactor, o.id, explain("plan", j.key, o.id, err))
			}
			v.change.Source = o.source
			for _, w := range slices.Concat(o.readWarnings, warned.Texts()) {
				v.change.Warnings = appendNew(v.change.Warnings, j.redactor.String(w))
			}
			verdicts[i] = v
			return nil
		})
	}
	return work.Wait()
}

// judge decides about one object.
func (j *judge) judge(ctx context.Context, o *object) (verdict, error) {
	if why := j.blocked(o); why != nil {
		return verdict{
			change:   diff.Change{Object: o.id, Action: diff.Unchanged, Reason: "it is blocked by Options.Allow", Local: true},
			problems: []Problem{blockedProblem(o.id, why)},
		}, nil
	}
	if o.desired == nil {
		return j.judgeRemoval(ctx, o)
	}
	if j.isFinishedJob(o) {
		return verdict{change: diff.Change{Object: o.id, Action: diff.Unchanged, Reason: "it has finished, and ttlSecondsAfterFinished has deleted it"}}, nil
	}
	if why := j.leavesDefinition(o); why != "" {
		return verdict{change: diff.Change{Object: o.id, Action: diff.Unchanged, Reason: why}}, nil
	}
	why, err := j.keepsNewer(ctx, o)
	if err != nil {
		return verdict{}, err
	}
	if why != "" {
		return verdict{change: diff.Change{Object: o.id, Action: diff.Unchanged, Warnings: []string{why}}}, nil
	}
	return j.judgeWanted(ctx, o)
}

// judgeWanted decides about an object that the plan wants.
func (j *judge) judgeWanted(ctx context.Context, o *object) (verdict, error) {
	v := verdict{}
	problems, err := j.ownershipProblems(ctx, o)
	if err != nil {
		return verdict{}, err
	}
	v.problems = append(v.problems, problems...)
	in, err := j.intend(ctx, o)
	if err != nil {
		return verdict{}, err
	}
	in, f, err := j.predictLenient(ctx, in)
	if err != nil {
		return verdict{}, err
	}
	in = in.withCauseOf(o.live)
	merged := f.merged
	if !f.confirmed {
		merged = withTemplateDefaults(o, merged)
	}
	if o.live != nil && merged != nil {
		if object, lacks := (emptied{o.id, in.schema}).in(nil, f.body.Object, o.live.Object, merged.Object); lacks {
			merged, f.twice = &unstructured.Unstructured{Object: object.(map[string]any)}, true
			if f.confirmed { // the API server may fill what was emptied with defaults
				filled, err := j.askPatch(ctx, in, merged)
				if err != nil {
					return verdict{}, err
				}
				if filled != nil {
					merged = filled
				}
			}
		}
	}
	change, err := j.compare(in, f, merged, j.redactor)
	if err == nil && j.setsCause(in, f, change) {
		f, merged = j.withCause(in, f, merged)
		change, err = j.compare(in, f, merged, j.redactor)
	}
	if err != nil {
		return verdict{}, err
	}
	if f.confirmed && merged != o.live {
		if change, err = markAllocated(change, merged, in.live, in.body); err != nil {
			return verdict{}, err
		}
	}
	f.merged = merged
	change.Local = !f.confirmed
	if change.Action == diff.Adopted && (o.origin == fromCRDs || owner(o.live) == j.key) {
		change.Action, change.Reason = diff.Unchanged, ""
		if len(change.Fields) > 0 {
			change.Action = diff.Updated
		}
	}
	change.Warnings = append(change.Warnings, slices.Concat(o.notes, in.notes, f.notes)...)
	if f.confirmed && merged != o.live {
		left, err := dropped(o.id, in.schema, f.body, merged)
		if err != nil {
			return verdict{}, err
		}
		change.Warnings = append(change.Warnings, left...)
	}
	v.change = change
	v.missing = append(v.missing, f.missing...)
	v.proven = f.proven
	v.write = write{
		body: f.body, force: f.force, takeOver: f.takeOver, twice: f.twice,
		awaitKind: o.pending || f.pending, awaitSchema: j.shifting[o.groupKind()],
	}
	if f.overwrite != nil {
		v.write.overwrite = in.overwriteTo(f.overwrite)
	}
	if v, err = j.applyKindRules(ctx, in, f, v); err != nil {
		return verdict{}, err
	}
	return j.withLost(ctx, in, f, v)
}

// applyKindRules adds what the rules of single kinds have to say, and the
// problems that prediction met.
func (j *judge) applyKindRules(ctx context.Context, in intended, f prediction, v verdict) (verdict, error) {
	conflict := f.conflict
	if fields := v.change.Conflicts(); conflict == nil && len(fields) > 0 && !f.force {
		conflict = &conflictOf{}
		for _, field := range fields {
			conflict.managers, conflict.fields = appendNew(conflict.managers, field.Manager), append(conflict.fields, field.Path)
		}
	}
	if conflict != nil {
		v.problems = append(v.problems, conflict.problem(in.id))
	}
	definition, err := j.checkDefinition(ctx, in, f)
	if err != nil {
		return verdict{}, err
	}
	v.change.Warnings = append(v.change.Warnings, definition.warnings...)
	judged, err := j.judgeReplacement(ctx, in, f, v)
	if err != nil {
		return verdict{}, err
	}
	if judged.change.Action != diff.Replaced { // otherwise it was asked whether it can be created
		judged.problems = slices.Concat(v.problems, definition.unexplained(f.refusal.problems), definition.problems, judged.problems[len(v.problems):])
	} else {
		others := slices.DeleteFunc(slices.Clone(f.refusal.problems), func(p Problem) bool { return p.Kind == ProblemInvalid })
		judged.problems = slices.Concat(v.problems, others, definition.problems, judged.problems[len(v.problems):])
	}
	v = judged
	v.problems = append(v.problems, j.checkDefined(in, f)...)
	v.problems = append(v.problems, overflows(in, f.body, f.merged)...)
	storage, err := j.checkStorage(ctx, in, f, v.change)
	if err != nil {
		return verdict{}, err
	}
	v.problems = append(v.problems, storage.problems...)
	v.related = append(v.related, storage.related...)
	v.change.Warnings = append(v.change.Warnings, storage.warnings...)
	if v.change.Action == diff.Replaced && (in.isDefinition() || isNamespace(in.id)) {
		return j.withLoss(ctx, in.object, v)
	}
	return v, nil
}

// compare is the change that merged makes. A nil redactor is for callers that
// only count its fields.
func (j *judge) compare(in intended, f prediction, merged *unstructured.Unstructured, redactor *diff.Redactor) (diff.Change, error) {
	var former []string
	if merged != in.live { // otherwise no field differs, and it does not matter whose they are
		former = j.formerManagers(in.live)
	}
	base := in.base
	if in.unwritten {
		base = nil
	}
	return diff.Compare(
		diff.Input{Object: in.id, Base: base, Live: in.live, Desired: f.body, Merged: merged, Manager: j.manager},
		diff.Options{
			Schema: in.schema, Secrets: redactor, FormerManagers: former, Force: j.policy.force,
			Takes: func(manager, path string) bool {
				return path == diff.FormatPath(causePath) && !in.ownCause || j.settle(in.object, manager, path) == Take
			},
		},
	)
}

// schemaOf is the schema by which a custom resource is compared; nil for
// built-in kinds, and where the API server publishes none yet.
func (j *judge) schemaOf(ctx context.Context, o *object) (diff.Schema, error) {
	if diff.IsBuiltinGroup(o.id.Group) {
		return nil, nil
	}
	s, err := j.merger.Schema(ctx, o.mapping.GroupVersionKind)
	var undecided *merge.UndecidedError
	if err == nil || !errors.As(err, &undecided) {
		return s, err
	}
	// The API server publishes the schema of a new kind a moment later.
	j.merger.Forget(o.mapping.GroupVersionKind.GroupVersion())
	return s, nil
}

// mayAsk reports whether the API server can judge the object now: it cannot if
// its kind or namespace is missing, or another schema will hold by the time the
// object is applied.
func (j *judge) mayAsk(o *object) bool {
	switch {
	case j.asking.DryRun == DryRunNone, o.readAs != nil, j.shifting[o.groupKind()]:
		return false
	case o.pending && o.live == nil:
		return false
	}
	return !j.createdNamespaces[o.id.Namespace]
}
