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

func (e *Engine) planRollout(ctx context.Context, k Key, r Rollout, a asking) (*Plan, error) {
	if err := r.validate(k); err != nil {
		return nil, err
	}
	h, err := e.readHistory(ctx, k)
	if err != nil {
		return nil, err
	}
	if !h.installed() {
		return nil, notFound("rollout", k)
	}
	recorded, err := parseManifest(h.last.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", h.last.Revision, err)
	}
	workload, err := findWorkload(k, recorded, r.Workload)
	if err != nil {
		return nil, err
	}
	r.Workload = workload.GetKind() + "/" + workload.GetName()
	if r.At.IsZero() && r.Verb == Restart {
		r.At = time.Now()
	}
	record := again(h.last, h.nextRevision())
	set, err := e.overrideWorkload(ctx, k, r, workload, h.last, record)
	if err != nil {
		return nil, err
	}
	cause := r.String()
	if r.Cause != "" {
		cause += ": " + r.Cause
	}
	record.Cause, record.Status = cause, storage.StatusPendingUpgrade
	p := e.premise(premise{
		key: k, mode: rollingOut, asking: a, cause: cause, history: h, record: record,
		hidden: append(hookObjects(h.last), secretsIn(recorded)...), workload: identityIn(k, workload.Unstructured), field: set.field,
	}, Release{})
	begun := Plan{Kind: PlanRollout, Rollout: &r, Cause: cause, Chart: chartName(record.Chart.Name, record.Chart.Version)}
	out, err := e.plan(ctx, p, wanted{objects: []render.Object{{Unstructured: set.changed, Source: workload.Source}}}, begun, "")
	if err != nil {
		return nil, err
	}
	if record.Manifest.Equal(h.last.Manifest) && countChanged(out.Report) == 0 && !h.last.Status.Pending() {
		out.To, out.work.recordOnly = 0, false // it is so already
	}
	out.Report.Title = fmt.Sprintf("%s of %s", r, k)
	return out, nil
}

// overriddenWorkload is a workload with the field that a rollout sets.
type overriddenWorkload struct {
	changed *unstructured.Unstructured
	field   string // in the notation of diff.Field
}

// overrideWorkload sets the field in a copy of the workload, which is one of
// the newest revision, and records it in the record's manifest.
func (e *Engine) overrideWorkload(ctx context.Context, k Key, r Rollout, workload render.Object, last, record *storage.Record) (overriddenWorkload, error) {
	h := recordedOverrides(last, workload.Text)
	path, value, err := e.rolloutField(ctx, k, r, h, workload.Unstructured)
	if err != nil {
		return overriddenWorkload{}, err
	}
	changed := workload.DeepCopy()
	if err := h.set(changed, path, value, record.Revision); err != nil {
		return overriddenWorkload{}, err
	}
	if !jsonEqual(changed.Object, workload.Object) {
		if record.Manifest, err = rewriteManifest(k, record.Manifest, changed, h); err != nil {
			return overriddenWorkload{}, err
		}
	}
	return overriddenWorkload{changed, strings.Join(path[:min(len(path), 2)], ".")}, nil
}

var errWorkload = errors.New("no such workload")

// workloadKinds are the kinds of workloads by the names that kubectl takes.
var workloadKinds = map[string]string{
	"deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
	"statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
	"daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet",
}

// findWorkload finds a workload by name among a manifest's objects.
func findWorkload(k Key, objects []render.Object, name string) (render.Object, error) {
	kind, object, named := strings.Cut(name, "/")
	if long, ok := workloadKinds[strings.ToLower(kind)]; ok {
		kind = long
	}
	var found []render.Object
	var have []string
	for _, o := range objects {
		if !isWorkload(diff.ObjectOf(o.Unstructured)) {
			continue
		}
		have = append(have, o.GetKind()+"/"+o.GetName())
		if !named && kind == "" || o.GetKind() == kind && o.GetName() == object {
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
	return render.Object{}, &Error{Op: "rollout", Key: k, Hint: hint, Err: fmt.Errorf("%w: Rollout.Workload is %q", errWorkload, name)}
}

// rolloutField is the field that a verb sets, and its value; nil removes it.
func (e *Engine) rolloutField(ctx context.Context, k Key, r Rollout, h overrides, u *unstructured.Unstructured) (path []string, value any, err error) {
	refuse := func(why, hint string) error {
		return &Error{Op: string(r.Verb), Key: k, Object: identityIn(k, u), Hint: hint, Err: errors.New(why)}
	}
	paused, _, _ := unstructured.NestedBool(u.Object, pausedAt...)
	kind := u.GetKind()
	switch r.Verb {
	case Pause, Resume:
		if kind != "Deployment" {
			return nil, nil, refuse("a "+kind+" cannot be paused", "a StatefulSet keeps pods back by spec.updateStrategy.rollingUpdate.partition, both by the update strategy OnDelete")
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
		template, err := e.earlierTemplate(ctx, k, r, u)
		return templateAt, template, err
	case Scale:
		if kind == "DaemonSet" {
			return nil, nil, refuse("a DaemonSet has as many pods as there are nodes for them", "change its node selector or tolerations in the chart")
		}
		return replicasAt, int64(r.Replicas), nil
	}
	return nil, nil, refuse(fmt.Sprintf("Rollout.Verb is %q", r.Verb), "it may be pause, resume, restart, undo or scale")
}
