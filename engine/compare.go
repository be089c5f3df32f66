package engine

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
	"github.com/fairlead-dev/fairlead/render"
)

// Compare reports what two stored revisions of a release want differently, hooks
// included; to 0: the newest; from 0: the one before to. Secrets are hidden as in
// plans. It looks at no live object: Drift compares with those, and PlanRollback
// shows what going back would change. A note says whether the chart or the
// user's values differ, without the values. It fails as Get does.
func (e *Engine) Compare(ctx context.Context, k Key, from, to int) (diff.Report, error) {
	report, err := e.compareRevisions(ctx, k, from, to)
	if err != nil {
		return diff.Report{}, explain("compare", k, diff.Object{}, err)
	}
	return report, nil
}

func (e *Engine) compareRevisions(ctx context.Context, k Key, from, to int) (diff.Report, error) {
	if err := k.validate(); err != nil {
		return diff.Report{}, err
	}
	if from == 0 || to == 0 {
		var err error
		if from, to, err = e.neighbours(ctx, k, from, to); err != nil {
			return diff.Report{}, err
		}
	}
	var was, is *storage.Record
	err := parallel.All(ctx,
		func(ctx context.Context) (err error) {
			was, err = e.storedRevision(ctx, "compare", k, from)
			return err
		},
		func(ctx context.Context) (err error) { is, err = e.storedRevision(ctx, "compare", k, to); return err },
	)
	if err != nil {
		return diff.Report{}, err
	}
	return compareRecords(k, was, is)
}

// neighbours are the revisions to compare, where 0 stands for the newest, and for
// the one before it.
func (e *Engine) neighbours(ctx context.Context, k Key, from, to int) (int, int, error) {
	stored, err := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	if err != nil {
		return 0, 0, err
	}
	if len(stored) == 0 {
		return 0, 0, notFound("compare", k)
	}
	if to == 0 {
		to = stored[len(stored)-1].Revision
	}
	before := 0
	for _, m := range stored {
		if m.Revision < to {
			before = m.Revision
		}
	}
	if from == 0 {
		from = before
	}
	if from == 0 {
		return 0, 0, &Error{Op: "compare", Key: k, Hint: "History returns the stored revisions", Err: fmt.Errorf("%w: none before %d", ErrRevisionNotFound, to)}
	}
	return from, to, nil
}

func compareRecords(k Key, was, is *storage.Record) (diff.Report, error) {
	decoder := storage.NewDecoder()
	before, err := recordedOf(k, was, decoder)
	if err != nil {
		return diff.Report{}, broken(was, err)
	}
	after, err := recordedOf(k, is, decoder)
	if err != nil {
		return diff.Report{}, broken(is, err)
	}
	report, err := diff.Objects(before.objects, after.objects, diff.Options{Secrets: redactorOf()})
	if err != nil {
		return diff.Report{}, err
	}
	for i := range report.Changes {
		ch := &report.Changes[i]
		of := after
		if ch.Action == diff.Deleted || ch.Action == diff.Kept {
			of = before
		}
		about := of.about[inRelease(k, ch.Object)]
		ch.Source, ch.Reason = about.source, alsoBecause(ch.Reason, about.hook)
	}
	report.Title = fmt.Sprintf("%s, revision %d to %d", k, was.Revision, is.Revision)
	if a, b := chartName(was.Chart.Name, was.Chart.Version), chartName(is.Chart.Name, is.Chart.Version); a != b {
		report.Notes = append(report.Notes, fmt.Sprintf("chart: %s → %s", a, b))
	}
	if !sameValues(was.Values, is.Values) {
		report.Notes = append(report.Notes, "the user's values differ")
	}
	return report, nil
}

func alsoBecause(reason, more string) string {
	if reason == "" || more == "" {
		return reason + more
	}
	return reason + "; " + more
}

// recorded is what a revision wants.
type recorded struct {
	objects []*unstructured.Unstructured
	about   map[diff.Object]aboutObject // by inRelease
}

type aboutObject struct{ source, hook string }

// recordedOf reads the objects and hooks of a revision. Those in the release's
// own namespace may name it or not, which is the same.
func recordedOf(k Key, r *storage.Record, decoder yamlread.Decoder) (recorded, error) {
	out := recorded{about: map[diff.Object]aboutObject{}}
	add := func(text, path, hook string) error {
		objects, err := storage.Objects(decoder, text, nil)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if path != "" {
				o.Source = path
			}
			u := inOwnNamespace(k, o)
			out.objects = append(out.objects, u)
			id := diff.ObjectOf(u)
			id.Name = cmp.Or(id.Name, u.GetGenerateName()) // as diff.Objects has it
			out.about[inRelease(k, id)] = aboutObject{o.Source, hook}
		}
		return nil
	}
	if err := add(r.Manifest.String(), "", ""); err != nil {
		return recorded{}, err
	}
	for _, h := range r.Hooks {
		if err := add(h.Manifest, h.Path, "a hook on "+strings.Join(h.Events, ", ")); err != nil {
			return recorded{}, err
		}
	}
	return out, nil
}

// inOwnNamespace is an object without its namespace, if that is the release's.
func inOwnNamespace(k Key, o render.Object) *unstructured.Unstructured {
	if o.GetNamespace() != k.Namespace {
		return o.Unstructured
	}
	return withMetadata(o.Unstructured, func(metadata map[string]any) { delete(metadata, "namespace") })
}
