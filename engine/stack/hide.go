package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/redact"
	"github.com/fairlead-dev/fairlead/render"
)

// redactorOf hides what the Secrets hold, as the engine hides it.
func redactorOf(secrets ...*unstructured.Unstructured) *diff.Redactor {
	return diff.NewRedactor(diff.RedactorOptions{Public: redact.PublicKeys()}, secrets...)
}

// showing are those of the Secrets of which a value shows something.
func showing(value any, secrets []*unstructured.Unstructured) []*unstructured.Unstructured {
	text := fmt.Sprint(value)
	var out []*unstructured.Unstructured
	for _, u := range secrets {
		if redactorOf(u).Contains(text) {
			out = append(out, u)
		}
	}
	return out
}

// secretsIn are the Secrets among objects, those that are hooks included.
func secretsIn(objects []render.Object) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		if isSecret(diff.ObjectOf(o.Unstructured)) {
			out = append(out, o.Unstructured)
		}
	}
	return out
}

// secrets are those that the chart itself makes.
func (p *planned) secrets() []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, m := range []*render.Manifest{p.twin.first, p.twin.next} {
		if m != nil {
			out = append(out, secretsIn(objectsOf(m))...)
		}
	}
	return out
}

// readEarlier reads what earlier keeps.
func (p *planned) readEarlier(ctx context.Context) ([]*unstructured.Unstructured, error) {
	if p.plan.Plan.From == 0 || !p.plan.Plan.Changed() && !p.plan.Later() {
		return nil, nil
	}
	return p.recorded(ctx, p.plan.Plan.From)
}

// hides are the Secrets that an output of the member may show: those that it is given,
// as they may be in all that it has, and those of its own chart. What the output was
// before may still be live in the member that gets it, so that those of the revision
// before are hidden, too.
func (p *planned) hides(ctx context.Context, o Output, r resolved) ([]*unstructured.Unstructured, error) {
	out := addObjects(slices.Clone(r.hide), p.release.Hide)
	before, err := p.earlier()
	if err != nil {
		return nil, err
	}
	out = append(out, before...)
	if r.known {
		return addObjects(out, showing(r.value, p.secrets())), nil
	}
	out = append(out, p.secrets()...)
	if o.kind == outputField && isSecret(o.object) {
		live, err := p.engine.Live(ctx, p.key(), o.object)
		switch {
		case err == nil:
			out = append(out, live)
		case !errors.Is(err, engine.ErrObjectNotFound):
			return nil, err
		}
	}
	return out, nil
}

// recorded are the Secrets of a revision; 0: of the newest one.
func (m *member) recorded(ctx context.Context, revision int) ([]*unstructured.Unstructured, error) {
	stored, err := m.engine.Get(ctx, m.key(), revision)
	if err != nil {
		return nil, err
	}
	objects := slices.Clone(stored.Objects)
	for _, h := range stored.Hooks {
		objects = append(objects, h.Hook.Object)
	}
	return secretsIn(objects), nil
}

// secrets are those of the newest revision of a member, and those of the revision that
// the plan builds on: what they hold may still be live in members that need it.
func (a *application) secrets(ctx context.Context, m *member) (now, before []*unstructured.Unstructured, err error) {
	a.mu.Lock()
	done := a.state[m.Name]
	now, before = done.secrets, done.before
	read := done.read
	a.mu.Unlock()
	if read {
		return now, before, nil
	}
	if now, err = m.recorded(ctx, 0); err != nil {
		return nil, nil, err
	}
	if a.plan != nil {
		if mp := a.plan.member(m.Name); mp != nil && mp.Plan.From > 0 && mp.Plan.Changed() {
			before, err = m.recorded(ctx, mp.Plan.From)
			if err != nil && !errors.Is(err, engine.ErrRevisionNotFound) { // it may be no longer kept
				return nil, nil, err
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	done.secrets, done.before, done.read = now, before, true
	return now, before, nil
}

// hiddenSecrets returns a function for each member: it returns the Secrets that may
// show in the objects of the member, because its inputs are of them. The functions read
// the outputs of other members as they are now, once for all members.
func (s *Stack) hiddenSecrets(ctx context.Context) map[string]func() ([]*unstructured.Unstructured, error) {
	a := &application{Stack: s, state: map[string]*applied{}}
	out := map[string]func() ([]*unstructured.Unstructured, error){}
	for _, m := range s.members {
		out[m.Name] = sync.OnceValues(func() ([]*unstructured.Unstructured, error) {
			for _, path := range m.paths {
				for _, from := range m.Inputs[path].members() {
					if _, err := out[from](); err != nil {
						return nil, err
					}
				}
			}
			release, err := a.releaseNow(ctx, m)
			a.end(m.Name, &applied{release: release})
			return release.Hide, err
		})
	}
	return out
}

// releaseNow is the release of a member with those of its inputs that are there.
func (a *application) releaseNow(ctx context.Context, m *member) (engine.Release, error) {
	in := newInputs()
	for _, path := range m.paths {
		r, err := a.current(ctx, m.Inputs[path])
		if errors.Is(err, ErrOutputMissing) || errors.Is(err, engine.ErrReleaseNotFound) || err == nil && !r.known {
			continue
		}
		if err != nil {
			return engine.Release{}, err
		}
		in.add(path, m.Inputs[path], r)
	}
	return a.release(m, nil, in)
}

// hideStatus returns a status without what the Secrets hold. The engine may have
// kept the one that is given.
func hideStatus(status *engine.Status, r *diff.Redactor) *engine.Status {
	out := *status
	out.Revision.Notes = r.String(out.Revision.Notes)
	out.Objects = slices.Clone(status.Objects)
	for i := range out.Objects {
		d := &out.Objects[i]
		d.Reason, d.Message, d.Hint = r.String(d.Reason), r.String(d.Message), r.String(d.Hint)
		d.Pods, d.Events = slices.Clone(d.Pods), slices.Clone(d.Events)
		for j := range d.Pods {
			pod := &d.Pods[j]
			pod.Reason, pod.Message, pod.Image = r.String(pod.Reason), r.String(pod.Message), r.String(pod.Image)
			pod.Logs = slices.Clone(pod.Logs)
			for k := range pod.Logs {
				pod.Logs[k] = r.String(pod.Logs[k])
			}
		}
		for j := range d.Events {
			e := &d.Events[j]
			e.Reason, e.Message = r.String(e.Reason), r.String(e.Message)
		}
	}
	return &out
}
