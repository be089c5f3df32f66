package engine

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// intended is an object as the release intends it: desired, but for the fields
// that stay as they are live.
type intended struct {
	*object
	body     *unstructured.Unstructured // to apply
	base     *unstructured.Unstructured // object's own, with the change cause that was applied with it
	schema   diff.Schema                // nil: diff's own
	ownCause bool                       // the chart sets the change cause itself
	notes    []string                   // for people
	// reversion: managedFields are in an API version in which what is applied
	// cannot be expressed, and are replaced first.
	reversion bool
}

// intend works out what to apply of an object before anything is merged.
func (j *judge) intend(ctx context.Context, o *object) (intended, error) {
	in := intended{object: o, body: o.desired, base: o.base}
	in = j.scalers.yield(in, j.manager).yieldAggregated()
	in, err := j.keepReplicas(ctx, in)
	if err != nil {
		return intended{}, err
	}
	if in.schema, err = j.schemaOf(ctx, o); err != nil {
		return intended{}, err
	}
	in = in.keepCause()
	if j.mode.restores() {
		in = in.keepSizes()
	}
	return in, nil
}

// withBodyField is in with a value at a path of what is applied; nil removes
// it. What has no such shape stays as it is: the API server refuses it.
func (in intended) withBodyField(value any, path ...string) intended {
	if body, err := withField(in.body, value, path...); err == nil {
		in.body = body
	}
	return in
}

func (in intended) withNote(note string) intended {
	in.notes = append(in.notes[:len(in.notes):len(in.notes)], note)
	return in
}
