package engine

import (
	"context"
	"errors"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Status is a release as it is now.
type Status struct {
	Revision Revision `json:"revision"`
	// Ready is true if the revision is deployed, and every object of it is there
	// and ready, or of a kind that says nothing of itself.
	Ready bool `json:"ready"`
	// Objects of the revision, in install order.
	Objects []Diagnosis `json:"objects"`
}

// Status tells how the newest revision's objects are, with the cause where
// one is not ready, however long ago it was deployed.
//
// A revision that failed or is pending may not have written its objects, so
// that what is there is an earlier one's: they are told of as they are, and
// Ready is false.
func (e *Engine) Status(ctx context.Context, k Key) (*Status, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	s, err := e.status(ctx, k)
	if err != nil {
		return nil, explain("status", k, diff.Object{}, err)
	}
	return s, nil
}

func (e *Engine) status(ctx context.Context, k Key) (*Status, error) {
	past, err := e.readPast(ctx, k)
	if err != nil {
		return nil, err
	}
	if past.last == nil {
		return nil, notFound("status", k)
	}
	objects, err := parseManifest(past.last.Manifest.String())
	if err != nil {
		return nil, err
	}
	pl := &planning{e: e, key: k, past: past}
	var items []*item
	s := &Status{Revision: *revisionOf(past.last), Ready: past.last.Status == storage.StatusDeployed}
	for _, o := range inApplyOrder(objects) {
		it, err := pl.newItem(ctx, o.Unstructured, o.Source, nil)
		if errors.Is(err, ErrUnknownKind) {
			it = &item{object: diff.ObjectOf(o.Unstructured), pending: true}
		} else if err != nil {
			return nil, err
		}
		it.desired = o.Unstructured
		items = append(items, it)
	}
	if err := pl.readLive(ctx, items); err != nil {
		return nil, err
	}
	redactor := redactorFor(items)
	s.Objects = make([]Diagnosis, len(items))
	work := newLimited(ctx, e.opts.Concurrency)
	for i, it := range items {
		if it.live == nil {
			s.Objects[i] = Diagnosis{Object: it.object, State: StateMissing, Message: "it does not exist", Hint: "deploy the release again"}
			continue
		}
		st := readiness.Assess(it.live, e.rules)
		s.Objects[i] = diagnosis(readiness.Diagnosis{
			State: st.State, Reason: st.Reason, Message: st.Message, Ready: st.Ready, Updated: st.Updated, Desired: st.Desired,
		}, redactor)
		s.Objects[i].Object = it.object
		if st.State == readiness.Ready {
			continue
		}
		work.do(func(ctx context.Context) error {
			d, err := readiness.Diagnose(ctx, e.waitTarget(ctx, it), e.waitOptions())
			if err != nil {
				return err
			}
			s.Objects[i] = diagnosis(d, redactor)
			s.Objects[i].Object = it.object
			return nil
		})
	}
	if err := work.wait(); err != nil {
		return nil, err
	}
	for _, d := range s.Objects {
		if d.State != StateReady && d.State != StateUnknown {
			s.Ready = false
		}
	}
	return s, nil
}
