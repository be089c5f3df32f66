package engine

import (
	"cmp"
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Plan computes what Deploy would do, and why. It writes nothing and works
// with read-only permissions: what the API server does not allow to be tried is
// computed locally and marked Local, and Plan.Missing lists the permissions that
// applying will need.
//
// What blocks applying (conflicts, immutable fields, objects of other releases)
// is in Plan.Problems. An error means that there is no plan: the chart does not
// render, a kind is unknown, the namespace is missing, the API server cannot be
// reached.
func (e *Engine) Plan(ctx context.Context, r Release, opts PlanOptions) (*Plan, error) {
	e = e.forCall()
	defer e.events.drain()
	if err := opts.validate(r.Key); err != nil {
		return nil, err
	}
	ctx, asked := cluster.WithRequests(ctx)
	p, err := e.planDeploy(ctx, r, opts.asking())
	return e.planned("plan", r.Key, p, asked, err)
}

// planned ends a call that plans: it reports the plan, and keeps what its
// requests took; or it explains the error.
func (e *Engine) planned(op string, k Key, p *Plan, asked *cluster.Requests, err error) (*Plan, error) {
	if err != nil {
		return nil, explain(op, k, diff.Object{}, err)
	}
	for _, a := range asked.Asked() {
		p.work.asked = append(p.work.asked, Permission{Verb: a.Verb, Group: a.Group, Resource: a.Resource, Namespace: a.Namespace, Name: a.Name})
	}
	e.events.emit(Planned{about(k), p.Report.Summary(), countChanged(p.Report), false})
	return p, nil
}

func (e *Engine) planDeploy(ctx context.Context, r Release, a asking) (*Plan, error) {
	if err := r.Key.validate(); err != nil {
		return nil, err
	}
	if r.Source == nil || reflect.ValueOf(r.Source).Kind() == reflect.Pointer && reflect.ValueOf(r.Source).IsNil() {
		return nil, &Error{Op: "plan", Key: r.Key, Hint: "set Release.Source, for example to charts.WebApp()", Err: errors.New("the release has no source")}
	}
	if err := cmp.Or(validLabels("Release.Labels", r.Labels), validCommonMetadata(r), validOwner(r.Owner)); err != nil {
		return nil, refused("plan", r.Key, err)
	}
	if err := oneOf("Release.Seed", r.Seed, SeedKeep, SeedFresh); err != nil {
		return nil, refused("plan", r.Key, err)
	}
	if a.renderedAt.IsZero() {
		a.renderedAt = time.Now().UTC().Truncate(time.Second)
	}
	in, err := e.readDeploy(ctx, r, a)
	if err != nil {
		return nil, err
	}
	d, err := newDeployment(r, in)
	if err != nil {
		return nil, err
	}
	var reverted *storage.Record
	if recorded := in.recorded; recorded != nil {
		switch same := sameContent(recorded.of, d.record); {
		case !same:
			if in, err = e.renderAnew(ctx, r, a, in); err == nil {
				d, err = newDeployment(r, in)
			}
			if err != nil {
				return nil, err
			}
		case recorded.reverted:
			reverted = recorded.of
		default:
			a.renderedAt = recorded.at
		}
	}
	record := d.record
	record.Cause, record.Status = r.Cause, storage.StatusPendingInstall
	kind, event := PlanInstall, "install"
	if in.history.upgrades() {
		kind, event, record.Status = PlanUpgrade, "upgrade", storage.StatusPendingUpgrade
	}
	record, resumes := in.history.resumed(a, record, kind)
	hidden := append(hookObjects(record), in.secrets...)
	p := e.premise(premise{
		key: r.Key, mode: deploying, asking: a, cause: r.Cause,
		history: in.history, namespace: in.namespace, record: record, hidden: hidden,
	}, r)
	begun := Plan{
		Kind: kind, Cause: r.Cause, RenderedAt: a.renderedAt,
		Chart:  chartName(in.manifest.Chart.Name, in.manifest.Chart.Version),
		Report: diff.Report{Notes: labelNotes(d.labelsBefore, record.Labels)},
		work: &work{
			release: r, values: in.values, manifest: in.manifest, lookedUp: in.secrets, seed: in.seed,
			noted: noted{RenderedAt: a.renderedAt, Upgrade: kind == PlanUpgrade}, resumes: resumes, reverted: reverted,
		},
	}
	return e.plan(ctx, p, wanted{objects: d.kept.objects, crds: in.manifest.CRDs, notes: d.kept.notes, text: record.Manifest}, begun, event)
}

// deployment is the revision that a deploy records.
type deployment struct {
	record       *storage.Record
	kept         carried
	labelsBefore map[string]string
}

func newDeployment(r Release, in deployInput) (deployment, error) {
	record, err := newRecord(r.Key, in.history, in.manifest, in.values.given)
	if err != nil {
		return deployment{}, err
	}
	if in.values.chart != nil {
		record.Chart.Values = in.values.chart.Map()
	}
	var before map[string]string
	if last := in.history.last; last != nil {
		before = last.Labels
	}
	record.Labels = mergedLabels(before, r.Labels)
	record.Seed = storedSeed(in.seed)
	record.Manifest = withoutOverrides(record.Manifest)
	kept, err := carryOverrides(r.Key, in.history.last, in.manifest.Objects, record.Manifest)
	if err != nil {
		return deployment{}, err
	}
	record.Manifest = kept.text
	return deployment{record, kept, before}, nil
}

// deployInput is what a deploy is planned from.
type deployInput struct {
	history   *history
	namespace namespaceState
	caps      *render.Capabilities
	values    deployValues
	// recorded is what the release was rendered with, if that is what a revision
	// was rendered with; nil: as a new revision.
	recorded *recordedRender
	rendered
}

// readDeploy reads history and namespace, and renders beside reading.
func (e *Engine) readDeploy(ctx context.Context, r Release, a asking) (deployInput, error) {
	var in deployInput
	err := parallel.All(ctx,
		func(ctx context.Context) (err error) {
			list := func(ctx context.Context) (*history, error) { return e.besideLive(ctx, r.Key, e.listHistory) }
			in.history, in.namespace, err = e.readNamespaceFor(ctx, r.Key, a, r.CreateNamespace, a.assume.namespaces()[r.Namespace], list)
			return err
		},
		func(ctx context.Context) (err error) {
			inputsOf(ctx).addServed()
			in.caps, err = e.cluster.Capabilities(ctx)
			return err
		},
	)
	if err != nil {
		return deployInput{}, err
	}
	if in.recorded, err = e.renderedBefore(ctx, r.Key, a, in.history); err == nil {
		a.recorded = in.recorded
		err = in.render(ctx, e, r, a)
	}
	if errors.Is(err, storage.ErrNotFound) { // another operation has trimmed the history meanwhile
		if in.history, err = e.listHistory(ctx, r.Key); err == nil {
			in.recorded, a.recorded = nil, nil
			err = in.render(ctx, e, r, a) // for the revision that is next now
		}
	}
	if err != nil {
		return in, err
	}
	return in, refuseReserved(r.Key, in.manifest)
}

// renderAnew renders for a new revision what was rendered as an earlier one.
func (e *Engine) renderAnew(ctx context.Context, r Release, a asking, in deployInput) (deployInput, error) {
	in.recorded = nil
	if err := in.render(ctx, e, r, a); err != nil {
		return in, err
	}
	return in, refuseReserved(r.Key, in.manifest)
}

// renderedBefore is what the revision was rendered with that a deploy may be a
// repetition of: templates may print the number of the revision or the time. nil:
// there is none, or it does not matter. The history is completed.
func (e *Engine) renderedBefore(ctx context.Context, k Key, a asking, h *history) (*recordedRender, error) {
	revisions := h.inventory.Revisions
	if len(revisions) == 0 || a.rendered != nil || !a.resumes() || !a.pass && !revisions[len(revisions)-1].Status.Pending() {
		return nil, nil
	}
	if err := e.readRecords(ctx, k, h); err != nil {
		return nil, err
	}
	of := h.last
	reverts := a.pass && readNotes(of).Reverts != 0
	if n := readNotes(of); reverts {
		var err error
		if of, err = e.store.Get(ctx, k.Namespace, k.Name, n.Reverts); err != nil {
			return nil, ignoreNotStored(err)
		}
	}
	if n := readNotes(of); !n.RenderedAt.IsZero() {
		return &recordedRender{of, n.Upgrade, n.RenderedAt, of.Revision, reverts}, nil
	}
	return nil, nil
}

// ignoreNotStored is nil for a revision that is not stored any more, or that cannot
// be read.
func ignoreNotStored(err error) error {
	if errors.Is(err, storage.ErrNotFound) || errors.As(err, new(*storage.DecodeError)) {
		return nil
	}
	return err
}

// render fills in the values, and what is rendered with them.
func (in *deployInput) render(ctx context.Context, e *Engine, r Release, a asking) (err error) {
	if a.rendered != nil {
		in.values = a.values
		in.rendered, err = e.renderBesideReading(ctx, r, a, in.history, in.caps)
		return err
	}
	values, secrets, err := e.readValuesFrom(ctx, r)
	if err != nil {
		return err
	}
	r.Values, a.lookedUp = values, slices.Concat(a.lookedUp, secrets, r.Hide)
	if in.values, err = e.deployValues(ctx, r, in.history); err != nil {
		return err
	}
	r.Values, a.chartValues = in.values.given, in.values.chart
	if in.rendered, err = e.renderBesideReading(ctx, r, a, in.history, in.caps); err != nil {
		return err
	}
	in.manifest, err = withCommonMetadata(ctx, r, in.manifest)
	return err
}

// revisionToRender is the revision that templates see. What is left of a plan is
// rendered as all of it was.
func (a asking) revisionToRender(h *history) int {
	if a.recorded != nil {
		return a.recorded.revision
	}
	if h.resumes(a.reviewed) {
		return a.reviewed.to
	}
	return h.nextRevision()
}

// rendered is what a release has rendered to, and what with.
type rendered struct {
	manifest *render.Manifest
	secrets  []*unstructured.Unstructured // that templates have looked up
	seed     render.Seed                  // to be recorded; zero: nothing was ever drawn
}

// renderBesideReading completes the history, and renders the release at the same
// time. If both fail, the error is always that of reading; it shows no value of a
// Secret that templates have looked up.
func (e *Engine) renderBesideReading(ctx context.Context, r Release, a asking, h *history, caps *render.Capabilities) (rendered, error) {
	out, seen := rendered{a.rendered, a.lookedUp, a.seed}, &lookedUp{secrets: a.lookedUp}
	seeding := e.seeding(r, a, h)
	upgrade, at := h.upgrades(), a.renderedAt
	if a.recorded != nil {
		upgrade, at = a.recorded.upgrade, a.recorded.at
	}
	var unread, unrendered error
	err := parallel.All(ctx,
		func(ctx context.Context) error {
			defer close(seeding.read)
			if h.last == nil { // otherwise they were
				unread = e.readRecords(ctx, r.Key, h)
			}
			return nil
		},
		func(ctx context.Context) error {
			if out.manifest != nil {
				return nil
			}
			out.manifest, unrendered = r.Source.Render(ctx, render.Input{
				Name: r.Name, Namespace: r.Namespace,
				Revision: a.revisionToRender(h), Upgrade: upgrade,
				Values: r.Values, ChartValues: a.chartValues, Capabilities: caps, Lookup: e.lookup(r.Key, seen),
				Seed: render.FetchSeed(seeding.fetch), Now: at,
				PostRender: r.PostRender, PostRenderScope: r.PostRenderScope, Limits: r.Limits, Share: r.Share,
				Strict: r.Strict, SkipSchema: r.SkipSchema, SchemaLoader: r.SchemaLoader, Helm: r.Helm,
				DeferCRDs: e.opts.CRDs == CRDsSkip,
			})
			return nil
		},
	)
	if unrendered != nil {
		unrendered = withoutSecrets(redactorOf(seen.secrets...), unrendered)
	}
	if err := cmp.Or(unread, unrendered, err); err != nil {
		return rendered{}, err
	}
	if out.secrets = seen.secrets; a.rendered == nil {
		out.seed = seeding.toRecord()
	}
	return out, nil
}
