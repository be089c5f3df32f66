package render

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// PostRenderScope says what post-renderers are given, beside the objects of the
// release.
type PostRenderScope string

const (
	// PostRenderObjects gives them no more than that, as Helm 3 does. The default:
	// renderers that were written for it may not expect hooks, whose names other
	// objects refer to.
	PostRenderObjects PostRenderScope = ""
	// PostRenderHooks gives them the hooks as well, as Helm 4 does. What they return
	// with the annotation of a hook is one.
	PostRenderHooks PostRenderScope = "Hooks"
	// PostRenderAll gives them the hooks, and the CRDs of the folders crds/. A CRD
	// that they return under its name stays one of those.
	PostRenderAll PostRenderScope = "All"
)

// PostRendered returns the manifest with its objects changed by the post-renderers,
// in this order, as [Input].PostRender does; m itself is not changed.
func (m *Manifest) PostRendered(ctx context.Context, by ...PostRenderer) (*Manifest, error) {
	return m.PostRenderedIn(ctx, PostRenderObjects, by...)
}

// PostRenderedIn is [Manifest.PostRendered] for post-renderers that are given what
// the scope says.
func (m *Manifest) PostRenderedIn(ctx context.Context, scope PostRenderScope, by ...PostRenderer) (*Manifest, error) {
	changed := *m
	if err := changed.postRender(ctx, scope, by); err != nil {
		return nil, err
	}
	return &changed, nil
}

// postRender lets the post-renderers change what the scope says.
func (m *Manifest) postRender(ctx context.Context, scope PostRenderScope, by []PostRenderer) error {
	if !slices.Contains([]PostRenderScope{PostRenderObjects, PostRenderHooks, PostRenderAll}, scope) {
		return &Error{Op: "post-render", Chart: m.Chart.Name, Err: fmt.Errorf("unknown scope %q", scope), Hint: "use one of the constants of PostRenderScope"}
	}
	if len(by) == 0 {
		return nil
	}
	given := slices.Clone(m.Objects)
	was := sorts{definitions: map[string]bool{}, objects: map[string]bool{}}
	if scope != PostRenderObjects {
		for _, o := range m.Objects {
			if o.GetAnnotations()[HookAnnotation] != "" { // an item of a List, for example
				was.objects[identify(o.Unstructured, m.Namespace)] = true
			}
		}
		for _, h := range m.Hooks {
			given = append(given, h.Object)
		}
	}
	if scope == PostRenderAll {
		for _, crd := range m.DecodeCRDs() {
			// What is below its metadata is shared with all renders of the chart: a
			// post-renderer that changes it in place all the same changes its own.
			given = append(given, Object{crd.DeepCopy(), crd.Source, crd.Text})
			was.definitions[identify(crd.Unstructured, m.Namespace)] = true
		}
	}
	for i, p := range by {
		if err := ctx.Err(); err != nil {
			return &Error{Op: "post-render", Chart: m.Chart.Name, Err: ended(ctx)}
		}
		var err error
		if given, err = m.postRenderBy(ctx, i, p, given, scope != PostRenderObjects); err != nil {
			return err
		}
	}
	m.documents, m.Objects = nil, nil
	if scope != PostRenderObjects {
		m.Hooks = nil
	}
	if scope == PostRenderAll {
		m.CRDs, m.crds = nil, nil
	}
	for _, o := range given {
		if err := m.place(o, scope, was); err != nil {
			return err
		}
	}
	InstallOrder(m.Objects)
	if scope != PostRenderObjects {
		slices.SortStableFunc(m.Hooks, func(a, b Hook) int { return chartfile.CompareInstall(a.GetKind(), b.GetKind()) })
	}
	return unique(m.Objects, m.Namespace)
}

// sorts are the identities of what stays what it was when it is post-rendered:
// definitions of crds/, and objects that have the annotation of hooks and are none.
type sorts struct{ definitions, objects map[string]bool }

// place adds a post-rendered object to those of its sort.
func (m *Manifest) place(o Object, scope PostRenderScope, was sorts) error {
	id := identify(o.Unstructured, m.Namespace)
	if was.definitions[id] {
		m.CRDs = append(m.CRDs, o)
		return nil
	}
	if scope != PostRenderObjects && !was.objects[id] {
		hook, ok, err := asHook(o)
		if err != nil {
			return &Error{Op: "post-render", Chart: m.Chart.Name, File: o.Source, Err: fmt.Errorf("%s: %w", o.ID(), err)}
		}
		if ok {
			if hook.Events != nil {
				m.Hooks = append(m.Hooks, hook)
			}
			return nil
		}
	}
	m.Objects = append(m.Objects, o)
	return nil
}

// postRenderBy lets one post-renderer change the objects, and checks what it
// returns.
func (m *Manifest) postRenderBy(ctx context.Context, i int, p PostRenderer, given []Object, hooks bool) ([]Object, error) {
	objects, err := p.PostRender(ctx, given)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, err
		}
		return nil, &Error{Op: "post-render", Chart: m.Chart.Name, Err: fmt.Errorf("post-renderer %d: %w", i, err)}
	}
	out := make([]Object, 0, len(objects))
	for _, o := range objects {
		if o.Unstructured == nil || o.Object == nil {
			return nil, &Error{Op: "post-render", Chart: m.Chart.Name, Err: fmt.Errorf("post-renderer %d returned an empty object", i)}
		}
		if err := checkObject(o, hooks && o.GetAnnotations()[HookAnnotation] != ""); err != nil {
			return nil, &Error{Op: "post-render", Chart: m.Chart.Name, File: o.Source, Err: fmt.Errorf("post-renderer %d: %s: %w", i, o.ID(), err)}
		}
		if o.Text, err = o.Document(); err != nil {
			return nil, &Error{Op: "post-render", Chart: m.Chart.Name, File: o.Source, Err: fmt.Errorf("post-renderer %d: %w", i, err)}
		}
		out = append(out, o)
	}
	return out, nil
}

// ended is why a context has ended: a [*LimitError] for the time limit.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return ctx.Err()
}
