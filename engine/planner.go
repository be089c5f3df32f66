package engine

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Plan computes what Deploy would do, and why. It writes nothing and works
// with read-only rights: what the API server does not let it try is computed
// here and marked Local, and Plan.Missing lists the rights that applying will
// need.
//
// What stands in the way of applying (conflicts, immutable fields, objects of
// other releases) is in Plan.Problems. An error means that there is no plan:
// the chart does not render, a kind is unknown, the namespace is missing, the
// API server cannot be reached.
func (e *Engine) Plan(ctx context.Context, r Release, opts PlanOptions) (*Plan, error) {
	defer e.events.drain()
	p, err := e.planDeploy(ctx, r, opts)
	if err == nil {
		err = p.work.hooksRefused
	}
	if err != nil {
		return nil, explain("plan", r.Key, diff.Object{}, err)
	}
	e.events.emit(Planned{about(p.Key), p.Report.Summary(), countChanged(p.Report)})
	return p, nil
}

// PlanRollback computes what Rollback would do.
func (e *Engine) PlanRollback(ctx context.Context, k Key, revision int, opts PlanOptions) (*Plan, error) {
	defer e.events.drain()
	p, err := e.planRollback(ctx, k, revision, opts)
	if err != nil {
		return nil, explain("plan rollback", k, diff.Object{}, err)
	}
	e.events.emit(Planned{about(k), p.Report.Summary(), countChanged(p.Report)})
	return p, nil
}

// PlanCorrection computes what undoes the drift of the newest revision: what
// Drift shows, as a plan to apply. Fields that others have changed are taken
// back from them, which is what a correction is for; rules of
// Options.Ownership still hold, and replicas that an autoscaler sets stay. No
// hooks run. A correction that changes anything is recorded as a revision of
// its own.
//
// It goes back to what was healthy: ErrUnfinished if the newest revision
// failed, or is pending, and wants anything that the last healthy one did not,
// or if an uninstall has begun.
func (e *Engine) PlanCorrection(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	defer e.events.drain()
	opts.correct = true
	p, err := e.planRollback(ctx, k, 0, opts)
	if err != nil {
		return nil, explain("plan correction", k, diff.Object{}, err)
	}
	e.events.emit(Planned{about(k), p.Report.Summary(), countChanged(p.Report)})
	return p, nil
}

// PlanUninstall computes what Uninstall would do, and names what it leaves:
// objects with helm.sh/resource-policy: keep, and the claims of StatefulSets.
func (e *Engine) PlanUninstall(ctx context.Context, k Key, opts PlanOptions) (*Plan, error) {
	defer e.events.drain()
	p, err := e.planUninstall(ctx, k, opts)
	if err != nil {
		return nil, explain("plan uninstall", k, diff.Object{}, err)
	}
	e.events.emit(Planned{about(k), p.Report.Summary(), countChanged(p.Report)})
	return p, nil
}

func countChanged(r diff.Report) int {
	n := 0
	for _, c := range r.Changes {
		if c.Changed() {
			n++
		}
	}
	return n
}

// planning is the state of making one plan.
type planning struct {
	e    *Engine
	key  Key
	opts PlanOptions

	manager string
	cause   string
	adopt   bool
	force   bool
	correct bool // take what no rule settles
	told    bool // drift of a revision that did not become healthy is told

	namespaceMissing bool                         // the release's own, to be created
	own              map[schema.GroupKind]ownKind // kinds of the release's own CRDs
	mappings         map[schema.GroupVersionKind]*meta.RESTMapping
	newNamespaces    map[string]bool // those that applying creates, its own included
	namespaceUID     types.UID       // empty: not known
	outdated         []string
	hookRights       []right
	past             *past
	next             storage.Text                               // the manifest to be recorded, of which earlier ones share what is the same
	hooks            []*unstructured.Unstructured               // whose Secrets are to be hidden too
	items            []*item                                    // all of the plan
	custom           map[diff.Object]*unstructured.Unstructured // see customResources
	storage          storageClasses
	// notes are for people, on objects by identity.
	notes map[diff.Object][]string
	// only are the objects of a rollout, by identity; nil: all of the release.
	only        map[diff.Object]bool
	unsafePrune bool
	back        bool // to an earlier revision
	uninstalls  bool
	set         applySet
	// takes is the field that a rollout sets, whoever owns it.
	takes string
	// certain: what is recorded will differ, whatever becomes of the objects.
	certain bool
	// rules are the credentials' own in the release's namespace; nil: not asked.
	rules *rules
}

// past is what the stored revisions say.
type past struct {
	stock storage.Stock
	from  int             // of its revisions; what was before does not count any more
	last  *storage.Record // newest; nil: never installed
	// base are the manifests that may be in the cluster, oldest first: the
	// last healthy one, and every attempt since.
	base []*storage.Record
}

func (e *Engine) readPast(ctx context.Context, k Key) (*past, error) {
	if err := k.validate(); err != nil { // it goes into a selector
		return nil, err
	}
	p, err := e.tryReadPast(ctx, k)
	if errors.Is(err, storage.ErrNotFound) {
		p, err = e.tryReadPast(ctx, k) // another deployer has trimmed it meanwhile
	}
	return p, err
}

func (e *Engine) tryReadPast(ctx context.Context, k Key) (*past, error) {
	p, err := e.listPast(ctx, k)
	if err != nil {
		return nil, err
	}
	return p, e.readRecords(ctx, p)
}

// listPast is the past without what it takes to read: last and base.
func (e *Engine) listPast(ctx context.Context, k Key) (*past, error) {
	stock, err := e.store.Stock(ctx, k.Namespace, k.Name)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	p := &past{stock: stock}
	// Before a revision that was healthy once, nothing counts: what it did not
	// want was removed when it became healthy.
	for i, m := range stock.Revisions {
		switch m.Status {
		case storage.StatusDeployed, storage.StatusSuperseded, storage.StatusUninstalled:
			p.from = i
		}
	}
	return p, nil
}

func (e *Engine) readRecords(ctx context.Context, p *past) error {
	records := make([]*storage.Record, len(p.stock.Revisions[p.from:]))
	work := newLimited(ctx, e.opts.Concurrency)
	for i, m := range p.stock.Revisions[p.from:] {
		work.do(func(ctx context.Context) (err error) {
			if records[i], err = e.store.Read(ctx, p.stock, m); err != nil {
				return fmt.Errorf("read revision %d: %w", m.Revision, err)
			}
			return nil
		})
	}
	if err := work.wait(); err != nil {
		return err
	}
	p.stock.Lighten()
	for i, r := range records {
		p.last = r
		if p.stock.Revisions[p.from+i].Status != storage.StatusUninstalled {
			p.base = append(p.base, r)
		}
	}
	return nil
}

func (p *past) nextRevision() int {
	if len(p.stock.Revisions) == 0 {
		return 1
	}
	return p.stock.Revisions[len(p.stock.Revisions)-1].Revision + 1
}

// wasHealthy says whether an upgrade is at hand: an install that never came to
// its end is made again, with the hooks of an install.
func (p *past) wasHealthy() bool {
	return len(p.stock.Revisions) > 0 && settled(p.stock.Revisions[p.from].Status)
}

// installed says whether there may be anything of the release in the cluster.
func (p *past) installed() bool {
	return slices.ContainsFunc(p.stock.Revisions[p.from:], func(m storage.Meta) bool { return m.Status != storage.StatusUninstalled })
}

func (e *Engine) planDeploy(ctx context.Context, r Release, opts PlanOptions) (*Plan, error) {
	if err := r.Key.validate(); err != nil {
		return nil, err
	}
	if r.Source == nil || reflect.ValueOf(r.Source).Kind() == reflect.Pointer && reflect.ValueOf(r.Source).IsNil() {
		return nil, &Error{Op: "plan", Key: r.Key, Hint: "set Release.Source, for example to charts.WebApp()", Err: errors.New("the release has no source")}
	}
	pl := &planning{e: e, key: r.Key, opts: opts, manager: e.opts.FieldManager, cause: r.Cause, adopt: r.Adopt, force: r.Force, unsafePrune: r.UnsafePrune}

	var caps *render.Capabilities
	err := together(ctx,
		func(ctx context.Context) (err error) { pl.past, err = e.listPast(ctx, r.Key); return err },
		func(ctx context.Context) (err error) {
			pl.namespaceUID, pl.namespaceMissing, err = e.namespace(ctx, r)
			return err
		},
		func(ctx context.Context) (err error) { caps, err = e.c.capabilities(ctx); return err },
	)
	if err != nil {
		return nil, err
	}

	manifest := opts.rendered
	read := func() error {
		var unread, unrendered error // if both fail, it is always the first that is told
		err := together(ctx,
			func(ctx context.Context) error { unread = e.readRecords(ctx, pl.past); return nil },
			func(ctx context.Context) error {
				if manifest != nil {
					return nil
				}
				manifest, unrendered = r.Source.Render(ctx, render.Input{
					Name: r.Name, Namespace: r.Namespace,
					Revision: pl.past.nextRevision(), Upgrade: pl.past.wasHealthy(),
					Values: r.Values, Capabilities: caps, Lookup: e.lookup(r.Key),
					PostRender: r.PostRender, Limits: r.Limits,
				})
				return nil
			},
		)
		return cmp.Or(unread, unrendered, err)
	}
	if err = read(); errors.Is(err, storage.ErrNotFound) { // another deployer has trimmed the history meanwhile
		if pl.past, err = e.listPast(ctx, r.Key); err == nil {
			manifest = opts.rendered // for the revision that is next now
			err = read()
		}
	}
	if err != nil {
		return nil, err
	}

	kind, event := PlanInstall, "install"
	if pl.past.wasHealthy() {
		kind, event = PlanUpgrade, "upgrade"
	}
	record, err := newRecord(r.Key, pl.past, manifest, r.Values)
	if err != nil {
		return nil, err
	}
	pl.hooks = hookObjects(record)
	objects := manifest.Objects
	if objects, record.Manifest, err = pl.carryHeld(objects, record.Manifest); err != nil {
		return nil, err
	}
	record.Cause = r.Cause
	record.Status = storage.StatusPendingInstall
	if kind == PlanUpgrade {
		record.Status = storage.StatusPendingUpgrade
	}
	pl.foresee(record)
	pl.next = record.Manifest
	items, redactor, err := pl.objects(ctx, objects, manifest.CRDs)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Kind: kind, Key: r.Key, Cause: r.Cause,
		Chart: chartName(manifest.Chart.Name, manifest.Chart.Version), ChartDigest: manifest.Chart.Digest,
		work: &work{
			release: r, manifest: manifest, record: record, last: pl.past.last, stock: pl.past.stock, attempts: pl.past.base,
			items: items, redactor: redactor, createNamespace: pl.namespaceMissing,
		},
	}
	return p, pl.finish(ctx, p, event)
}

// finish fills in what follows from the items.
func (pl *planning) finish(ctx context.Context, p *Plan, event string) error {
	err := pl.conclude(ctx, p, event)
	p.tell()
	if err != nil || pl.opts.brief {
		return err
	}
	return p.seal()
}

func (pl *planning) conclude(ctx context.Context, p *Plan, event string) error {
	w := p.work
	if pl.past.last != nil {
		p.From = pl.past.last.Revision
	}
	w.namespaceUID = pl.namespaceUID
	if w.record != nil {
		w.record.ApplySet = pl.set.wanted
	}
	w.order = pl.arrange(w.items)
	w.removal = arrangeRemoval(w.items)
	p.Report.Notes = append(p.Report.Notes, w.order.notes(w.items)...)
	p.Report.Warnings = append(p.Report.Warnings, pl.outdated...)
	if w.createNamespace && w.ownNamespace() == nil {
		p.Report.Changes = append(p.Report.Changes, diff.Change{
			Object: diff.Object{Version: "v1", Kind: "Namespace", Name: p.Key.Namespace},
			Action: diff.Created, Reason: "the release's namespace does not exist", Local: true,
		})
	}
	p.Report.Changes = slices.Grow(p.Report.Changes, len(w.items))
	for _, it := range w.items {
		if it.change.Action == "" {
			continue
		}
		p.Report.Changes = append(p.Report.Changes, it.change)
		p.Report.Changes = append(p.Report.Changes, it.related...)
		for _, problem := range it.problems {
			if problem.Source == "" && it.desired != nil {
				problem.Source = it.source
			}
			p.Problems = append(p.Problems, problem)
		}
		p.addMissing(it.missing...)
	}
	pl.guardPrune(p)
	w.recordOnly = pl.certain && w.record != nil
	title := fmt.Sprintf("%s %s", strings.ToLower(string(p.Kind)), p.Key)
	if p.Chart != "" {
		title += " (" + p.Chart + ")"
	}
	p.Report.Title = title
	if w.record != nil && p.Changed() {
		p.To = w.record.Revision
	}
	if p.Kind != PlanUninstall && p.To == 0 {
		return nil // nothing is written
	}
	record := w.record
	if p.Kind == PlanUninstall {
		record = w.last
	}
	if err := pl.planHooks(ctx, p, record, event); err != nil {
		return err
	}
	p.work.hookRights = pl.hookRights
	missing, err := pl.missingRights(ctx, pl.needs(p))
	p.addMissing(missing...)
	return err
}

// foresee notes whether the revision to record, nil for an uninstall, makes it
// certain that the plan writes something.
func (pl *planning) foresee(record *storage.Record) {
	pl.certain = record == nil || !pl.correct && recordDiffers(pl.past.last, record)
}

// recordDiffers says whether the new revision holds anything that the last
// one does not, or whether the last one never became healthy, so that a
// revision is recorded even if no object changes.
func recordDiffers(last, next *storage.Record) bool {
	if last == nil || last.Status != storage.StatusDeployed {
		return true
	}
	return !sameApplied(last, next) ||
		chartName(last.Chart.Name, last.Chart.Version) != chartName(next.Chart.Name, next.Chart.Version) ||
		last.Chart.AppVersion != next.Chart.AppVersion ||
		!sameValues(last.Values, next.Values)
}

// sameValues compares as JSON does, in which they are stored.
func sameValues(a, b map[string]any) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	return jsonEqual(a, b)
}

// sameApplied says whether two revisions apply the same, but for blank lines at
// the ends of documents, of which the versions of Helm leave different ones.
func sameApplied(a, b *storage.Record) bool {
	return a.Manifest.SameDocuments(b.Manifest) && slices.EqualFunc(a.Hooks, b.Hooks, func(a, b storage.Hook) bool {
		return a.Path == b.Path && storage.TextOf(a.Manifest).SameDocuments(storage.TextOf(b.Manifest))
	})
}

func chartName(name, version string) string {
	if version == "" {
		return name
	}
	return name + "-" + version
}

// namespace looks for the release's namespace: missing is true if it does not
// exist and the release asks to create it. Without the right to read it it is
// taken to exist, with no UID; the API server will say otherwise.
func (e *Engine) namespace(ctx context.Context, r Release) (uid types.UID, missing bool, err error) {
	ns, err := e.c.typed.CoreV1().Namespaces().Get(ctx, r.Namespace, metav1.GetOptions{})
	switch {
	case err == nil && ns.DeletionTimestamp != nil:
		return "", false, &Error{
			Op: "plan", Key: r.Key, Hint: "wait until it is gone, or use another namespace",
			Err: fmt.Errorf("namespace %s is being deleted", r.Namespace),
		}
	case err == nil:
		return ns.UID, false, nil
	case apierrors.IsForbidden(err):
		return "", false, nil
	case !apierrors.IsNotFound(err):
		return "", false, fmt.Errorf("read namespace %s: %w", r.Namespace, err)
	case r.CreateNamespace && !e.allowed(r.Key, diff.Object{Version: "v1", Kind: "Namespace", Name: r.Namespace}):
		return "", false, notAllowed("plan", r.Key, diff.Object{Version: "v1", Kind: "Namespace", Name: r.Namespace})
	case r.CreateNamespace:
		return "", true, nil
	}
	return "", false, &Error{
		Op: "plan", Key: r.Key, Hint: "create it, or set Release.CreateNamespace",
		Err: fmt.Errorf("%w: %s", ErrNamespaceNotFound, r.Namespace),
	}
}

// publicKeys are keys of Secrets whose values are no secret: shown elsewhere,
// they hide nothing.
var publicKeys = []string{"username", "user", "database"}

// redactorFor hides the values of all Secrets of the plan, in all states,
// under a key of its own, so that hashes of two plans say nothing together.
func redactorFor(items []*item, more ...*unstructured.Unstructured) *diff.Redactor {
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	secrets := slices.Clone(more)
	for _, it := range items {
		secrets = append(secrets, it.base, it.live, it.desired)
	}
	return diff.NewRedactor(diff.RedactorOptions{Key: key, Public: publicKeys}, secrets...)
}

// ordered sorts out the order of the report: what is written in install
// order, then what is deleted, in uninstall order.
func ordered(written, removed []*item) []*item {
	out := make([]*item, 0, len(written)+len(removed))
	out = append(out, written...)
	for i := len(removed) - 1; i >= 0; i-- {
		out = append(out, removed[i])
	}
	return out
}
