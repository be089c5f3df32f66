package engine

import (
	"context"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// trimAttempts keeps a release that fails again and again from filling the
// cluster with its history: first the attempts that did not become healthy are
// deleted, then the oldest of what was before the last healthy revision. That
// one stays, and so do attempts whose objects would be orphaned.
func (r *recorder) trimAttempts(ctx context.Context, keep int) error {
	stored := r.before()
	excess := len(stored) + 1 - keep
	if keep < 0 || excess <= 0 {
		return nil
	}
	var trimmed []int
	if wants, ok := objectsWantedBy(r.record); ok {
		var attempts []attempt
		for _, record := range r.p.work.history.base {
			if record.Revision == r.record.Revision {
				continue
			}
			a := attempt{revision: record.Revision, status: record.Status}
			a.wants, a.readable = objectsWantedBy(record)
			attempts = append(attempts, a)
		}
		trimmed = attemptsToTrim(attempts, wants, r.remaining, excess)
	}
	for _, m := range stored[:min(len(stored), r.p.work.history.from)] {
		if len(trimmed) < excess {
			trimmed = append(trimmed, m.Revision)
		}
	}
	for _, revision := range trimmed {
		if err := r.e.store.Delete(ctx, r.record.Namespace, r.record.Name, revision); err != nil {
			return err
		}
	}
	return nil
}

// attempt is a revision that may be in the cluster.
type attempt struct {
	revision int
	status   storage.Status
	wants    map[diff.Object]bool
	readable bool // its manifest
}

// attemptsToTrim decides which attempts are deleted, the oldest first, up to
// excess: those that did not become healthy, and only if the one that has just
// failed wants what is there of everything that they wanted, so that nothing is
// orphaned.
func attemptsToTrim(attempts []attempt, wants, remaining map[diff.Object]bool, excess int) []int {
	var out []int
	for _, a := range attempts {
		if len(out) >= excess {
			break
		}
		if a.status != storage.StatusFailed && !a.status.Pending() || !a.readable {
			continue
		}
		covered := true
		for o := range a.wants {
			covered = covered && (wants[o] || !remaining[o])
		}
		if covered {
			out = append(out, a.revision)
		}
	}
	return out
}

// inRelease is an object as manifests may name it: its identity, without the
// release's own namespace.
func inRelease(k Key, o diff.Object) diff.Object {
	if o = identity(o); o.Namespace == k.Namespace {
		o.Namespace = ""
	}
	return o
}

// objectsWantedBy are the objects of a revision's manifest, as inRelease; not ok
// if it cannot be read.
func objectsWantedBy(record *storage.Record) (wanted map[diff.Object]bool, ok bool) {
	objects, err := parseManifest(record.Manifest.String())
	if err != nil {
		return nil, false
	}
	wanted = map[diff.Object]bool{}
	for _, o := range objects {
		wanted[inRelease(Key{record.Namespace, record.Name}, diff.ObjectOf(o.Unstructured))] = true
	}
	return wanted, true
}
