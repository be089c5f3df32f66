package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
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

// Status reports how the newest revision's objects are, with the cause where
// one is not ready, however long ago it was deployed.
//
// A revision that failed or is pending may not have written its objects, so
// that the live ones are an earlier revision's: they are reported as they are,
// and Ready is false.
func (e *Engine) Status(ctx context.Context, k Key) (*Status, error) {
	e = e.forCall()
	call := cacheable[*Status]{slot{k, "status"}, arguments{}, keptStatus}
	s, _, err := recall(ctx, e, call, func(ctx context.Context) (*Status, error) { return e.status(ctx, k) })
	if err != nil {
		return nil, explain("status", k, diff.Object{}, err)
	}
	return s, nil
}

func (e *Engine) status(ctx context.Context, k Key) (*Status, error) {
	h, err := e.readHistory(ctx, k)
	if err != nil {
		return nil, err
	}
	if h.last == nil {
		return nil, notFound("status", k)
	}
	objects, err := e.readRecorded(ctx, k, h.last)
	if err != nil {
		return nil, err
	}
	records := h.base // whose objects may still be live
	if !slices.Contains(records, h.last) {
		records = append(slices.Clip(records), h.last)
	}
	all, err := e.earlierSecrets(ctx, k, records)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		all = append(all, o.desired, o.live)
	}
	texts := &podTexts{e: e, key: k, redactor: redactorOf(all...), objects: func() []*unstructured.Unstructured { return all }}
	s := &Status{Revision: *revisionOf(h.last, texts.redactor), Ready: h.last.Status == storage.StatusDeployed, Objects: make([]Diagnosis, len(objects))}
	work := parallel.New(ctx, e.opts.Concurrency)
	for i, o := range objects {
		work.Do(func(ctx context.Context) (err error) {
			s.Objects[i], err = e.diagnose(ctx, o, texts)
			return err
		})
	}
	if err := work.Wait(); err != nil {
		return nil, err
	}
	for _, d := range s.Objects {
		if d.State != StateReady && d.State != StateUnknown {
			s.Ready = false
		}
	}
	return s, nil
}

// readRecorded reads the live state of a revision's objects.
func (e *Engine) readRecorded(ctx context.Context, k Key, record *storage.Record) ([]*object, error) {
	manifest, err := parseManifest(record.Manifest.String())
	if err != nil {
		return nil, fmt.Errorf("read the manifest of revision %d: %w", record.Revision, err)
	}
	locator := e.locator(k, nil)
	var objects []*object
	for _, from := range inInstallOrder(manifest) {
		at, err := locator.locate(ctx, from.Unstructured, from.Source)
		if errors.Is(err, ErrUnknownKind) {
			at = location{target: target{id: diff.ObjectOf(from.Unstructured)}, pending: true}
		} else if err != nil {
			return nil, err
		}
		objects = append(objects, &object{location: at, source: from.Source, desired: from.Unstructured})
	}
	return objects, liveReader{e: e, key: k}.read(ctx, objects)
}

// diagnose judges one live object. What is ready takes no request.
func (e *Engine) diagnose(ctx context.Context, o *object, texts *podTexts) (Diagnosis, error) {
	if o.live == nil && deletedByTTL(o.desired) {
		return Diagnosis{Object: o.id, State: StateReady, Reason: "Finished", Message: "it has finished, and ttlSecondsAfterFinished has deleted it"}, nil
	}
	if o.live == nil {
		return Diagnosis{Object: o.id, State: StateMissing, Message: "it does not exist", Hint: "deploy the release again"}, nil
	}
	st := readiness.Assess(o.live, e.rules)
	d := readiness.Diagnosis{
		State: st.State, Reason: st.Reason, Message: st.Message, Ready: st.Ready, Updated: st.Updated, Desired: st.Desired,
	}
	if st.State != readiness.Ready {
		var err error
		if d, err = readiness.Diagnose(ctx, e.waitTarget(ctx, o.target, o.live), e.waitOptions()); err != nil {
			return Diagnosis{}, err
		}
	}
	redact := texts.redactor.String
	if st.State != readiness.Ready {
		redact = texts.in(ctx)
	}
	out := diagnosis(d, redact)
	out.Object = o.id
	return out, nil
}
