package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/fairlead-dev/fairlead/render"
)

// Render renders the source in a child, and calls the post-renderers in this
// process. Its errors are those of [render.Chart.Render], and a
// [*render.LimitError] where a child has died.
func (s *Source) Render(ctx context.Context, in render.Input) (*render.Manifest, error) {
	r := &renderRequest{
		Key: s.key, Name: in.Name, Namespace: in.Namespace, Revision: in.Revision, Upgrade: in.Upgrade,
		Values: in.Values, Capabilities: in.Capabilities, Limits: in.Limits, Strict: in.Strict, SkipSchema: in.SkipSchema, Helm: in.Helm,
		Now: in.Now, Seed: !in.Seed.IsZero(),
		Lookup: in.Lookup != nil, SchemaLoader: in.SchemaLoader != nil,
	}
	if in.ChartValues != nil {
		r.ChartValues, r.OverChart = *in.ChartValues, true
	}
	ctx, release, err := in.Share.Acquire(ctx, memory(in))
	if err != nil {
		return nil, &render.Error{Op: "render", Chart: s.info.Name, Err: err}
	}
	defer release()
	var manifest *render.Manifest
	err = s.pool.call(ctx, "render", s.info.Name, in.Limits.WithDefaults().Time, func(ctx context.Context, w *worker) error {
		if _, err := w.load(s, false); err != nil {
			return err
		}
		if err := w.send(request{Render: r}); err != nil {
			return err
		}
		d, err := w.converse(ctx, in)
		if err != nil {
			return err
		}
		manifest, err = s.manifest(d, in)
		return err
	})
	if err != nil {
		return nil, err
	}
	return manifest.PostRenderedIn(ctx, in.PostRenderScope, in.PostRender...)
}

// memory is what this process takes of a budget for a render: what it is sent, and
// what post-renderers make of that.
func memory(in render.Input) int64 {
	bytes := in.Limits.WithDefaults().MemoryBytes
	if len(in.PostRender) > 0 {
		bytes *= 2
	}
	return bytes
}

// manifest makes a manifest of what the child sent: what the parent has is not
// taken from there.
func (s *Source) manifest(d *done, in render.Input) (*render.Manifest, error) {
	m := &render.Manifest{}
	if err := m.UnmarshalJSON(d.manifest); err != nil {
		return nil, &brokenError{&notAMessageError{err}}
	}
	if !complete(m.Objects) || !complete(m.CRDs) || slices.ContainsFunc(m.Hooks, func(h render.Hook) bool { return !complete([]render.Object{h.Object}) }) {
		return nil, &brokenError{errNoSuchMessage}
	}
	m.Chart, m.Values, m.Notes = s.Info(), in.Values, string(d.Notes)
	m.Files = make(map[string]string, len(d.Files))
	for i, f := range d.Files {
		m.Files[f.Name] = d.texts[i]
	}
	return m, nil
}

// complete reports whether all objects have content.
func complete(objects []render.Object) bool {
	return !slices.ContainsFunc(objects, func(o render.Object) bool { return o.Unstructured == nil || o.Object == nil })
}

// PostRender builds the kustomization in a child, with the objects as its first
// resources, as [render.Kustomization.PostRender] does. It fails for sources that
// are no kustomizations.
func (s *Source) PostRender(ctx context.Context, objects []render.Object) ([]render.Object, error) {
	if s.content.Kind != kindKustomization {
		return nil, &render.Error{Op: "post-render", Chart: s.info.Name, Err: errors.New("not a kustomization"), Hint: "use a source of Pool.LoadKustomization"}
	}
	limits := s.content.Limits
	var changed []render.Object
	err := s.pool.call(ctx, "post-render", s.info.Name, limits.Time, func(_ context.Context, w *worker) error {
		if _, err := w.load(s, false); err != nil {
			return err
		}
		if err := w.send(request{PostRender: &postRequest{Key: s.key, Objects: objects, Limits: limits}}); err != nil {
			return err
		}
		d, err := w.finish()
		switch {
		case err != nil:
			return err
		case d.Error != nil:
			return d.Error.decode(nil)
		case !complete(d.Objects):
			return &brokenError{errNoSuchMessage}
		}
		changed = d.Objects
		return nil
	})
	return changed, err
}

// maxQuestions bounds how often a child may ask in one render.
const maxQuestions = 100_000

// converse replies to the questions of the child until it is done.
func (w *worker) converse(ctx context.Context, in render.Input) (*done, error) {
	var failures []error
	for range maxQuestions {
		r, err := w.receive()
		if err != nil {
			return nil, err
		}
		if r.Done != nil {
			w.cpu = r.Done.CPU
			if r.Done.Error != nil {
				return nil, r.Done.Error.decode(failures)
			}
			return r.Done, nil
		}
		a, err := r.ask(ctx, in)
		var broken *brokenError
		if errors.As(err, &broken) {
			return nil, err
		}
		if err != nil {
			failures = append(failures, err)
			a = reply{Failed: true, Error: err.Error(), Call: len(failures)}
		}
		if err := w.send(request{Reply: &a}); err != nil {
			return nil, err
		}
	}
	return nil, &brokenError{&notAMessageError{errors.New("too many lookups")}}
}

// ask calls the function that the child asks for. It must be one that the input
// has.
func (r *response) ask(ctx context.Context, in render.Input) (reply, error) {
	switch {
	case r.Lookup != nil && in.Lookup != nil:
		object, err := in.Lookup(ctx, r.Lookup.APIVersion, r.Lookup.Kind, r.Lookup.Namespace, r.Lookup.Name)
		if err != nil || object == nil {
			return reply{}, err
		}
		text, err := json.Marshal(object)
		return reply{Object: text}, err
	case r.Seed != nil && !in.Seed.IsZero():
		seed, err := in.Seed.Fetched(ctx)
		return reply{Data: seed.Secret(), At: seed.Since()}, err
	case r.Schema != nil && in.SchemaLoader != nil:
		data, err := in.SchemaLoader(ctx, r.Schema.URL)
		return reply{Data: data}, err
	}
	return reply{}, &brokenError{errNoSuchMessage}
}
