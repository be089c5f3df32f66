package render

import (
	"context"
	"errors"
	"fmt"
)

// PostRendered returns the manifest with its objects changed by the post-renderers,
// in this order, as [Input].PostRender does; m itself is not changed.
func (m *Manifest) PostRendered(ctx context.Context, by ...PostRenderer) (*Manifest, error) {
	changed := *m
	if err := changed.postRender(ctx, by); err != nil {
		return nil, err
	}
	return &changed, nil
}

// postRender lets the post-renderers change the objects.
func (m *Manifest) postRender(ctx context.Context, by []PostRenderer) error {
	if len(by) == 0 {
		return nil
	}
	for i, p := range by {
		if err := ctx.Err(); err != nil {
			return &Error{Op: "post-render", Chart: m.Chart.Name, Err: ended(ctx)}
		}
		objects, err := p.PostRender(ctx, m.Objects)
		if err != nil {
			var e *Error
			if errors.As(err, &e) {
				return err
			}
			return &Error{Op: "post-render", Chart: m.Chart.Name, Err: fmt.Errorf("post-renderer %d: %w", i, err)}
		}
		m.Objects = make([]Object, 0, len(objects))
		for _, o := range objects {
			if o.Unstructured == nil || o.Object == nil {
				return &Error{Op: "post-render", Chart: m.Chart.Name, Err: fmt.Errorf("post-renderer %d returned an empty object", i)}
			}
			if err := checkObject(o, false); err != nil {
				return &Error{Op: "post-render", Chart: m.Chart.Name, File: o.Source, Err: fmt.Errorf("post-renderer %d: %s: %w", i, o.ID(), err)}
			}
			if o.Text, err = o.Document(); err != nil {
				return &Error{Op: "post-render", Chart: m.Chart.Name, File: o.Source, Err: fmt.Errorf("post-renderer %d: %w", i, err)}
			}
			m.Objects = append(m.Objects, o)
		}
	}
	m.documents = nil
	InstallOrder(m.Objects)
	return unique(m.Objects, m.Namespace)
}

// ended is why a context has ended: a [*LimitError] for the time limit.
func ended(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return ctx.Err()
}
