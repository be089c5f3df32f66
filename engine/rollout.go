package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Verb is what is done to a workload, in the words of kubectl rollout.
type Verb string

const (
	// Pause keeps changes of a Deployment from reaching its pods; Resume lets
	// them again.
	Pause  Verb = "pause"
	Resume Verb = "resume"
	// Restart renews the pods, by the workload's own strategy.
	Restart Verb = "restart"
	// Undo goes back to the pod template of an earlier revision of the
	// workload.
	Undo Verb = "undo"
	// Scale sets the number of replicas.
	Scale Verb = "scale"
)

// Rollout is one verb on one workload of a release: a Deployment, StatefulSet
// or DaemonSet. Only a Deployment can be paused and resumed, and a DaemonSet
// not scaled.
type Rollout struct {
	Verb Verb `json:"verb"`
	// Workload is "Deployment/web", in either case; also "deploy", "sts" and
	// "ds", as kubectl has it. Empty: the only one that the release has.
	Workload string `json:"workload,omitempty"`
	// Replicas to scale to.
	Replicas int `json:"replicas,omitempty"`
	// Revision to go back to, as kubectl rollout history counts them for the
	// workload. 0: the one before the present.
	Revision int64 `json:"revision,omitempty"`
	// Cause says why, for people; as Release.Cause.
	Cause string `json:"cause,omitempty"`
	// At is when a restart was asked for. Zero: when it is planned.
	At time.Time `json:"at,omitzero"`
}

// String is "Scale Deployment/web to 5".
func (r Rollout) String() string {
	verb := string(r.Verb)
	if verb != "" {
		verb = strings.ToUpper(verb[:1]) + verb[1:]
	}
	s := verb + " " + r.Workload
	switch {
	case r.Verb == Scale:
		s += fmt.Sprintf(" to %d", r.Replicas)
	case r.Verb == Undo && r.Revision != 0:
		s += fmt.Sprintf(" to revision %d", r.Revision)
	}
	return s
}

// Rollout pauses, resumes, restarts, undoes or scales a workload of a release,
// and waits until it is ready. It becomes a revision of its own, with its
// cause, whose manifest has the change; no hooks run, and other objects are
// left alone. The workload is applied as it was recorded last, with the
// change: what else has drifted in it goes back, and the plan shows that.
//
// What was set holds over the deploys that follow, as long as the chart
// renders for that field what it did then; each of their plans says so. When
// the chart says something new about the field, that counts. Rollback to an
// earlier revision takes it back, and so does the opposite verb.
//
// If the newest revision has failed, the new one counts as failed too: the
// release as a whole is as unhealthy as before.
func (e *Engine) Rollout(ctx context.Context, k Key, r Rollout, opts ApplyOptions) (*Revision, error) {
	defer e.events.drain()
	return e.carryOut(ctx, k, "rollout", opts, func(ctx context.Context) (*Plan, error) {
		return e.planRollout(ctx, k, r, PlanOptions{brief: true})
	})
}

// PlanRollout computes what Rollout would do.
func (e *Engine) PlanRollout(ctx context.Context, k Key, r Rollout, opts PlanOptions) (*Plan, error) {
	defer e.events.drain()
	p, err := e.planRollout(ctx, k, r, opts)
	if err != nil {
		return nil, explain("plan rollout", k, diff.Object{}, err)
	}
	e.events.emit(Planned{about(k), p.Report.Summary(), countChanged(p.Report)})
	return p, nil
}

func (e *Engine) planRollout(ctx context.Context, k Key, r Rollout, opts PlanOptions) (*Plan, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	past, err := e.readPast(ctx, k)
	if err != nil {
		return nil, err
	}
	if !past.installed() {
		return nil, notFound("rollout", k)
	}
	recorded, err := parseManifest(past.last.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", past.last.Revision, err)
	}
	pl := &planning{e: e, key: k, opts: opts, manager: e.opts.FieldManager, past: past, hooks: hookObjects(past.last)}
	for _, o := range recorded {
		if o.GetKind() == "Secret" {
			pl.hooks = append(pl.hooks, o.Unstructured)
		}
	}
	target, err := pl.workload(recorded, r.Workload)
	if err != nil {
		return nil, err
	}
	r.Workload = target.GetKind() + "/" + target.GetName()
	if r.At.IsZero() && r.Verb == Restart {
		r.At = time.Now()
	}
	pl.only = map[diff.Object]bool{pl.identity(target.Unstructured): true}
	pl.cause = r.String()
	if r.Cause != "" {
		pl.cause += ": " + r.Cause
	}

	record := past.last.Again(past.nextRevision())
	h := heldIn(target.Text)
	path, value, err := pl.change(ctx, r, h, target.Unstructured)
	if err != nil {
		return nil, err
	}
	changed := target.DeepCopy()
	if err := h.set(changed, path, value, record.Revision); err != nil {
		return nil, err
	}
	pl.takes = strings.Join(path[:min(len(path), 2)], ".")
	if !jsonEqual(changed.Object, target.Object) {
		if record.Manifest, err = pl.rewrite(record.Manifest, changed, h); err != nil {
			return nil, err
		}
	}
	if !record.Manifest.Equal(past.last.Manifest) {
		pl.foresee(record)
	}
	items, redactor, err := pl.objects(ctx, []render.Object{{Unstructured: changed, Source: target.Source}}, nil)
	if err != nil {
		return nil, err
	}
	if it := items[0]; r.Verb == Scale && numberAt(it.desired, -1, replicasAt...) != r.Replicas {
		it.problem(ProblemConflict, "its replicas cannot be set: "+strings.Join(it.notes, "; "), "change the bounds of what scales it")
	}
	record.Cause = pl.cause
	record.Status = storage.StatusPendingUpgrade
	p := &Plan{
		Kind: PlanRollout, Key: k, Rollout: &r, Cause: record.Cause,
		Chart:          chartName(record.Chart.Name, record.Chart.Version),
		ManifestDigest: record.Digest(),
		work:           &work{record: record, last: past.last, stock: past.stock, attempts: past.base, items: items, redactor: redactor},
	}
	if err := pl.finish(ctx, p, ""); err != nil {
		return nil, err
	}
	if record.Manifest.Equal(past.last.Manifest) && countChanged(p.Report) == 0 {
		p.To, p.work.recordOnly = 0, false // it is so already
	}
	p.Report.Title = fmt.Sprintf("%s of %s", r, k)
	return p, nil
}

var errWorkload = errors.New("no such workload")

// workload finds the one that is meant among a manifest's objects.
func (pl *planning) workload(objects []render.Object, name string) (render.Object, error) {
	kind, name, named := strings.Cut(name, "/")
	long := map[string]string{"deploy": "deployment", "sts": "statefulset", "ds": "daemonset"}
	kind = strings.TrimSuffix(strings.ToLower(kind), "s")
	for short, full := range long {
		if kind == short || kind+"s" == short {
			kind = full
		}
	}
	var found []render.Object
	var have []string
	for _, o := range objects {
		if !hasCause(diff.ObjectOf(o.Unstructured)) {
			continue
		}
		have = append(have, o.GetKind()+"/"+o.GetName())
		if !named && kind == "" || strings.ToLower(o.GetKind()) == kind && o.GetName() == name {
			found = append(found, o)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	hint := "the release has " + strings.Join(have, ", ")
	if len(have) == 0 {
		hint = "the release has no Deployment, StatefulSet or DaemonSet"
	}
	return render.Object{}, &Error{Op: "rollout", Key: pl.key, Hint: hint, Err: fmt.Errorf("%w: Rollout.Workload is %q", errWorkload, strings.Trim(kind+"/"+name, "/"))}
}

// change is the field that a verb sets, and its value; nil takes it away.
func (pl *planning) change(ctx context.Context, r Rollout, h held, u *unstructured.Unstructured) (path []string, value any, err error) {
	refuse := func(why, hint string) error {
		return &Error{Op: string(r.Verb), Key: pl.key, Object: pl.identity(u), Hint: hint, Err: errors.New(why)}
	}
	paused, _, _ := unstructured.NestedBool(u.Object, pausedAt...)
	kind := u.GetKind()
	switch r.Verb {
	case Pause, Resume:
		if kind != "Deployment" {
			return nil, nil, refuse("a "+kind+" cannot be paused", "a StatefulSet holds pods back by spec.updateStrategy.rollingUpdate.partition, both by the update strategy OnDelete")
		}
		if r.Verb == Pause {
			return pausedAt, true, nil
		}
		if h.Paused != nil && h.Paused.Chart != true {
			return pausedAt, h.Paused.Chart, nil
		}
		if !paused {
			value, _, _ = unstructured.NestedFieldCopy(u.Object, pausedAt...)
			return pausedAt, value, nil
		}
		return pausedAt, false, nil
	case Restart, Undo:
		if paused {
			return nil, nil, refuse("it is paused", "resume it first: its pods would stay as they are")
		}
		if r.Verb == Restart {
			return restartedAt, r.At.UTC().Format(time.RFC3339), nil
		}
		template, err := pl.earlierTemplate(ctx, r, u)
		return templateAt, template, err
	case Scale:
		if kind == "DaemonSet" {
			return nil, nil, refuse("a DaemonSet has as many pods as there are nodes for them", "change its node selector or tolerations in the chart")
		}
		if r.Replicas < 0 {
			return nil, nil, refuse(fmt.Sprintf("Rollout.Replicas is %d", r.Replicas), "0 stops all pods")
		}
		return replicasAt, int64(r.Replicas), nil
	}
	return nil, nil, refuse(fmt.Sprintf("Rollout.Verb is %q", r.Verb), "it may be pause, resume, restart, undo or scale")
}
