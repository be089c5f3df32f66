package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Stored is a revision as it is stored. It may hold secrets: values, manifest,
// hooks and notes are what only those can read who may read Secrets in the
// release's namespace. Printing, logging and encoding it shows none of them,
// whereas its fields are the plain data.
type Stored struct {
	// Revision is the entry of History, without notes.
	Revision Revision
	// Chart is what was rendered. Files and Digest are not set.
	Chart render.ChartInfo
	// ChartTrimmed is what the stored chart lacks, because the revision was too
	// big: "docs", "files", "templates" or "values", each of them with those
	// before. Without its values Computed lacks the chart's defaults. Empty:
	// nothing, other than the subcharts, which Helm does not store either.
	ChartTrimmed string
	// Values are those that the user gave.
	Values render.Values
	// Computed are the user's values over the chart's own, as
	// helm get values --all shows them: without those of subcharts.
	Computed render.Values
	// Manifest is the text of the objects, as Helm stores it.
	Manifest string
	// Objects are those of Manifest, in its order.
	Objects []render.Object
	Hooks   []StoredHook
	// Notes are as they are stored, with secrets that the chart prints.
	Notes string
	// FirstDeployed is when the release was deployed first; Deleted when it was
	// uninstalled, zero if it is not.
	FirstDeployed, Deleted time.Time
}

// StoredHook is a hook of a revision, and its last run.
type StoredHook struct {
	Hook render.Hook
	// Phase is that of the last run: Running, Succeeded, Failed or Unknown;
	// empty if it did not run.
	Phase                  string
	StartedAt, CompletedAt time.Time
}

// String returns the line of the revision, without what may be secret.
func (s Stored) String() string {
	return clean.Line(fmt.Sprintf("%s, of %s, %d objects, %d hooks, %s", s.Revision, chartName(s.Chart.Name, s.Chart.Version), len(s.Objects), len(s.Hooks), s.Values))
}

// GoString returns [Stored.String].
func (s Stored) GoString() string { return "engine.Stored{ " + s.String() + " }" }

// Format writes [Stored.String] for every verb.
func (s Stored) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns [Stored.String].
func (s Stored) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes the revision, and nothing else.
func (s Stored) MarshalJSON() ([]byte, error) { return json.Marshal(s.Revision) }

// GoString returns [StoredHook.String].
func (h StoredHook) GoString() string { return h.String() }

// Format writes [StoredHook.String] for every verb.
func (h StoredHook) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, h.String()) }

// String returns the hook's object, without its content, and how it went.
func (h StoredHook) String() string {
	s := "hook"
	if h.Hook.Unstructured != nil {
		s += " " + h.Hook.ID()
	}
	if h.Phase != "" {
		s += ": " + h.Phase
	}
	return clean.Line(s)
}

// LogValue returns [StoredHook.String].
func (h StoredHook) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalJSON writes [StoredHook.String].
func (h StoredHook) MarshalJSON() ([]byte, error) { return json.Marshal(h.String()) }

// Get returns a stored revision, also one that Helm recorded; 0: the newest. It
// fails with ErrReleaseNotFound, ErrRevisionNotFound, or ErrBrokenRevision if
// what is stored cannot be read.
func (e *Engine) Get(ctx context.Context, k Key, revision int) (*Stored, error) {
	record, err := e.storedRevision(ctx, "get", k, revision)
	if err != nil {
		return nil, explain("get", k, diff.Object{}, err)
	}
	out, err := storedOf(record)
	if err != nil {
		return nil, explain("get", k, diff.Object{}, broken(record, err))
	}
	return out, nil
}

// storedRevision reads a stored revision; 0: the newest.
func (e *Engine) storedRevision(ctx context.Context, op string, k Key, revision int) (*storage.Record, error) {
	if err := k.validate(); err != nil {
		return nil, err
	}
	if revision < 0 {
		return nil, revisionNotFound(op, k, revision)
	}
	var record *storage.Record
	var err error
	if revision == 0 {
		record, err = e.store.Last(ctx, k.Namespace, k.Name)
	} else {
		record, err = e.store.Get(ctx, k.Namespace, k.Name, revision)
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return record, err
	}
	stored, listErr := e.store.HistoryMeta(ctx, k.Namespace, k.Name)
	switch {
	case listErr != nil:
		return nil, listErr
	case len(stored) == 0:
		return nil, notFound(op, k)
	case revision == 0: // another operation has trimmed the one that was the newest
		return e.store.Get(ctx, k.Namespace, k.Name, stored[len(stored)-1].Revision)
	}
	return nil, revisionNotFound(op, k, revision)
}

func storedOf(r *storage.Record) (*Stored, error) {
	chart, err := r.StoredChart()
	if err != nil {
		return nil, err
	}
	out := &Stored{
		Revision: revisionFrom(r.Meta()), ChartTrimmed: chart.Trimmed,
		Chart: render.ChartInfo{
			Name: r.Chart.Name, Version: r.Chart.Version, AppVersion: r.Chart.AppVersion, Description: r.Chart.Description,
			Home: chart.Home, Icon: chart.Icon, KubeVersion: chart.KubeVersion, Deprecated: chart.Deprecated, Annotations: chart.Annotations,
		},
		Manifest: r.Manifest.String(), Notes: r.Notes, FirstDeployed: r.FirstDeployed, Deleted: r.Deleted,
	}
	given, own, _, err := storedValues(r)
	if err != nil {
		return nil, err
	}
	out.Values, out.Computed = given, given.Over(own)
	decoder := storage.NewDecoder()
	if out.Objects, err = storage.Objects(decoder, out.Manifest, nil); err != nil {
		return nil, err
	}
	for _, h := range r.Hooks {
		objects, err := storage.Objects(decoder, h.Manifest, nil)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			out.Hooks = append(out.Hooks, storedHook(h, o))
		}
	}
	return out, nil
}

func storedHook(h storage.Hook, o render.Object) StoredHook {
	o.Source = h.Path
	out := StoredHook{
		Hook:  render.Hook{Object: o, Weight: h.Weight},
		Phase: h.LastRun.Phase, StartedAt: h.LastRun.StartedAt, CompletedAt: h.LastRun.CompletedAt,
	}
	for _, event := range h.Events {
		out.Hook.Events = append(out.Hook.Events, render.HookEvent(event))
	}
	for _, policy := range h.DeletePolicies {
		out.Hook.DeletePolicies = append(out.Hook.DeletePolicies, render.HookDeletePolicy(policy))
	}
	for _, policy := range h.OutputLogPolicies {
		out.Hook.OutputLogPolicies = append(out.Hook.OutputLogPolicies, render.HookOutputLogPolicy(policy))
	}
	return out
}
