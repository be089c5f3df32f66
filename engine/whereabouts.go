package engine

import (
	"strings"

	"k8s.io/utils/lru"

	"github.com/fairlead-dev/fairlead/diff"
)

const (
	// earlyReleases and earlyObjects bound of how many releases it is remembered
	// where their objects are, and of how many objects each.
	earlyReleases = 4096
	earlyObjects  = 64
)

// whereabouts remembers which objects the plans of releases were about last, so that
// the next one can read them beside the history, in place of after it. Nothing
// relies on it being right. It is safe for concurrent use.
type whereabouts struct{ releases *lru.Cache } // of []location, by Key

func newWhereabouts() *whereabouts { return &whereabouts{lru.New(earlyReleases)} }

func (w *whereabouts) of(k Key) []location {
	at, _ := w.releases.Get(k)
	out, _ := at.([]location)
	return out
}

// note remembers where the objects are that a release wants, if there are not too
// many: of a big release they take longer to read than the history.
func (w *whereabouts) note(k Key, objects []*object) {
	var at []location
	for _, o := range objects {
		if o.desired == nil || o.mapping == nil || o.readAs != nil || o.pending {
			continue
		}
		l := o.location
		// The names may be parts of a whole manifest.
		l.id.Name, l.id.Namespace = strings.Clone(l.id.Name), strings.Clone(l.id.Namespace)
		l.id.Group, l.id.Version, l.id.Kind = l.mapping.GroupVersionKind.Group, l.mapping.GroupVersionKind.Version, l.mapping.GroupVersionKind.Kind
		at = append(at, l)
	}
	if len(at) == 0 || len(at) > earlyObjects {
		w.releases.Remove(k)
		return
	}
	w.releases.Add(k, at)
}

// early are objects that were read beside the history, by identity. They count as
// read after it: no revision was recorded in between.
type early map[diff.Object]*object

// of is what was read of an object; nil: it is to be read.
func (e early) of(o *object) *object {
	at := e[identity(o.id)]
	if at == nil || o.readAs != nil || at.mapping.Resource != o.mapping.Resource {
		return nil
	}
	return at
}
