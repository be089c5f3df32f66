package engine

import (
	"slices"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// history is what the stored revisions of a release say.
type history struct {
	inventory storage.Inventory
	// from is the index in inventory.Revisions of the newest revision that was
	// healthy once. What came before it does not count: what it did not want was
	// deleted when it became healthy.
	from int
	last *storage.Record // the newest; nil: never installed
	// base are the revisions whose objects may be in the cluster, oldest first:
	// the last healthy one, and every attempt since.
	base []*storage.Record
	// early are live objects that were read beside it; nil: none.
	early early
}

// newestHealthy is the index of the newest revision that was healthy once, or
// that was uninstalled; 0 if there is none.
func newestHealthy(revisions []storage.Meta) int {
	for i, m := range slices.Backward(revisions) {
		if wasHealthy(m.Status) || m.Status == storage.StatusUninstalled {
			return i
		}
	}
	return 0
}

// wasHealthy reports whether a revision with this status was applied completely
// once.
func wasHealthy(s storage.Status) bool {
	return s == storage.StatusDeployed || s == storage.StatusSuperseded
}

// nextRevision is the number of the revision to record.
func (h *history) nextRevision() int {
	if len(h.inventory.Revisions) == 0 {
		return 1
	}
	return h.inventory.Revisions[len(h.inventory.Revisions)-1].Revision + 1
}

// changedAsRead reports whether the newest revision has got another status between
// listing the revisions and reading it.
func (h *history) changedAsRead() bool {
	n := len(h.inventory.Revisions)
	return n > 0 && h.last != nil && h.inventory.Revisions[n-1].Revision == h.last.Revision && h.inventory.Revisions[n-1].Status != h.last.Status
}

// upgrades reports whether a deploy is an upgrade. An install that never became
// healthy is installed again, with the hooks of an install.
func (h *history) upgrades() bool {
	return len(h.inventory.Revisions) > 0 && wasHealthy(h.inventory.Revisions[h.from].Status)
}

// installed reports whether objects of the release may be in the cluster.
func (h *history) installed() bool {
	return slices.ContainsFunc(h.inventory.Revisions[h.from:], func(m storage.Meta) bool { return m.Status != storage.StatusUninstalled })
}

// previous is the newest revision before the last one that was healthy once;
// 0 if there is none.
func (h *history) previous() int {
	revisions := h.inventory.Revisions
	for i := len(revisions) - 2; i >= 0; i-- {
		if wasHealthy(revisions[i].Status) {
			return revisions[i].Revision
		}
	}
	return 0
}

// appliedAs is the newest revision that a reviewed plan has recorded; 0: none.
func (h *history) appliedAs(plan string) int {
	for _, m := range slices.Backward(h.inventory.Revisions) {
		if plan != "" && m.AppliedPlan == plan {
			return m.Revision
		}
	}
	return 0
}

// resumes reports whether the newest revision is that of the reviewed plan, so
// that applying it goes on from there.
func (h *history) resumes(r reviewed) bool {
	return h.nextRevision() > 1 && h.appliedAs(r.plan) == h.nextRevision()-1
}

// resumed is the newest revision in place of a new one that holds the same, if
// work on it was left with all that it takes to go on: resumes reports that.
func (h *history) resumed(a asking, next *storage.Record, kind PlanKind) (record *storage.Record, resumes bool) {
	last := h.last
	if last == nil || !a.resumes() || last.Status != next.Status || last.Revision != h.nextRevision()-1 || !sameContent(last, next) {
		return next, false
	}
	if n := readNotes(last); !n.Resumable || n.Kind != kind {
		return next, false
	}
	again := *last
	again.Hooks = slices.Clone(last.Hooks)
	return &again, true
}

// recordOf is the record of a revision that counts; nil: it does not.
func (h *history) recordOf(revision int) *storage.Record {
	i := slices.IndexFunc(h.base, func(r *storage.Record) bool { return r.Revision == revision })
	if i < 0 {
		return nil
	}
	return h.base[i]
}

// onlyRepeats reports whether all attempts since the last healthy revision want
// what that one applied, as a correction that failed does.
func (h *history) onlyRepeats() bool {
	for _, r := range h.base {
		if r.Status == storage.StatusUninstalling || recordDiffers(h.base[0], r) {
			return false
		}
	}
	return true
}

// hasSet reports whether a revision that counts recorded an apply set.
func (h *history) hasSet() bool {
	return slices.ContainsFunc(h.base, func(r *storage.Record) bool { return r.ApplySet })
}

// recorders adds the field managers that recorded the revisions to a list.
func (h *history) recorders(managers []string) []string {
	managers = slices.Clip(managers)
	for _, r := range h.base {
		if r.Recorder != "" {
			managers = appendNew(managers, r.Recorder)
		}
	}
	return managers
}

// recordDiffers reports whether the new revision holds anything that the last
// one does not, or whether the last one never became healthy.
func recordDiffers(last, next *storage.Record) bool {
	if last == nil || last.Status != storage.StatusDeployed {
		return true
	}
	return !sameContent(last, next)
}

// sameContent reports whether two revisions hold the same, whatever became of
// them.
func sameContent(a, b *storage.Record) bool {
	return sameApplied(a, b) &&
		chartName(a.Chart.Name, a.Chart.Version) == chartName(b.Chart.Name, b.Chart.Version) &&
		a.Chart.AppVersion == b.Chart.AppVersion &&
		sameValues(a.Values, b.Values)
}

// sameValues compares as JSON does, in which they are stored.
func sameValues(a, b map[string]any) bool {
	if len(a) == 0 && len(b) == 0 {
		return true
	}
	return jsonEqual(a, b)
}

// sameApplied reports whether two revisions apply the same, other than blank
// lines at the ends of documents, which differ between versions of Helm.
func sameApplied(a, b *storage.Record) bool {
	return a.Manifest.SameDocuments(b.Manifest) && slices.EqualFunc(a.Hooks, b.Hooks, func(a, b storage.Hook) bool {
		return a.Path == b.Path && storage.TextOf(a.Manifest).SameDocuments(storage.TextOf(b.Manifest))
	})
}
