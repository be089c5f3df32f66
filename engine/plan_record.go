package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// newRecord is the revision that applying the manifest will store. It fails if an
// object or a hook cannot be stored: what is not stored would be orphaned.
func newRecord(k Key, h *history, m *render.Manifest, values render.Values) (*storage.Record, error) {
	for _, o := range m.Objects {
		if _, err := o.Document(); err != nil {
			return nil, fmt.Errorf("store the manifest: %w", err)
		}
	}
	r := &storage.Record{
		Name: k.Name, Namespace: k.Namespace, Revision: h.nextRevision(),
		Chart:    storageChart(m.Chart),
		Values:   values.Map(),
		Manifest: storage.TextOf(m.Parts()...),
		Notes:    m.Notes,
	}
	for _, h := range m.Hooks {
		stored, err := storageHook(h)
		if err != nil {
			return nil, fmt.Errorf("store the hooks: %w", err)
		}
		r.Hooks = append(r.Hooks, stored)
	}
	return r, nil
}

// again is a new revision of what another one holds. In what Helm recorded,
// comments that look like overrides are others: the chart has printed them.
func again(r *storage.Record, revision int) *storage.Record {
	out := r.Again(revision)
	if r.Recorder != "" {
		out.Manifest = withoutOverrides(out.Manifest)
	}
	return out
}

func storageChart(c render.ChartInfo) storage.Chart {
	out := storage.Chart{Name: c.Name, Version: c.Version, AppVersion: c.AppVersion, Description: c.Description}
	for _, f := range c.Files {
		out.Files = append(out.Files, storage.File{Name: f.Name, Data: f.Data})
	}
	return out
}

func storageHook(h render.Hook) (storage.Hook, error) {
	text, err := h.Document()
	if err != nil {
		return storage.Hook{}, err
	}
	out := storage.Hook{Name: h.GetName(), Kind: h.GetKind(), Path: h.Source, Manifest: text, Weight: h.Weight}
	for _, e := range h.Events {
		out.Events = append(out.Events, string(e))
	}
	for _, p := range h.DeletePolicies {
		out.DeletePolicies = append(out.DeletePolicies, string(p))
	}
	for _, p := range h.OutputLogPolicies {
		out.OutputLogPolicies = append(out.OutputLogPolicies, string(p))
	}
	return out, nil
}
