package observe

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// definitionKinds register kinds. The names of their objects end with the API
// group, after the first dot.
var definitionKinds = []schema.GroupVersionKind{
	{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
	{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"},
}

// refreshAfter is when discovery and schemas are read again after a definition has
// changed: the API server publishes them some time after the change.
var refreshAfter = []time.Duration{0, time.Second, 5 * time.Second, 15 * time.Second}

// definitionChange is a change of a definition of a group that may not be
// published yet.
type definitionChange struct {
	since  time.Time
	next   int // of refreshAfter
	object diff.Object
}

func (o *Observer) definitionFeeds() []*feed {
	for _, kind := range definitionKinds {
		r, _ := meta.UnsafeGuessKindToResource(kind)
		at := place{resource: r.GroupResource()}
		o.definitions = append(o.definitions, &feed{
			place: at, kind: kind, handler: definitions{o}, records: map[name]*record{},
			source: &metadataSource{o.opts.Cluster, r, at, "", func(m *metav1.PartialObjectMetadata) *item { return newItem(m) }},
		})
	}
	return o.definitions
}

// definitions handles the feeds of definitions.
type definitions struct{ *Observer }

func (o definitions) failed(f *feed, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if f.err == nil {
		o.logger.Info("Definitions of kinds are not watched; discovery is read again after some minutes", "resource", f.place.resource, "err", err)
	}
	f.err = err
}

func (o definitions) replaced(f *feed, all []*item, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	missing := f.missing(all)
	for _, i := range all {
		if first {
			kept := i.record
			f.records[i.at()] = &kept
			continue
		}
		o.set(f, i)
	}
	for at := range missing {
		delete(f.records, at)
		o.note(f, at)
	}
	f.known, f.err = true, nil
}

func (o definitions) changed(f *feed, i *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set(f, i)
}

func (o definitions) deleted(f *feed, i *item) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(f.records, i.at())
	o.note(f, i.at())
}

func (o definitions) set(f *feed, i *item) {
	if before := f.records[i.at()]; before != nil && before.version == i.version {
		return
	}
	kept := i.record
	f.records[i.at()] = &kept
	o.note(f, i.at())
}

// note notes that a definition has changed. The caller has locked.
func (o definitions) note(f *feed, at name) {
	_, group, _ := strings.Cut(at.name, ".")
	o.changes[group] = &definitionChange{time.Now(), 0, f.object(at)}
	o.definitionsOf(group)
	o.wake()
}

// definitionsOf begins a new epoch of a group. The caller has locked.
func (o *Observer) definitionsOf(group string) {
	o.epoch.definitions++
	o.changed[group] = o.epoch.definitions
}

// refreshDefinitions forgets what is known of the groups whose definitions have
// changed, and touches the releases that use them. It returns when to come again,
// and whether anything was forgotten.
func (o *Observer) refreshDefinitions(now time.Time) (next time.Duration, changed bool) {
	next = idle
	touched := map[string]diff.Object{}
	o.mu.Lock()
	for group, c := range o.changes {
		for c.next < len(refreshAfter) && !now.Before(c.since.Add(refreshAfter[c.next])) {
			c.next++
			touched[group] = c.object
		}
		if c.next == len(refreshAfter) {
			delete(o.changes, group)
			continue
		}
		next = min(next, c.since.Add(refreshAfter[c.next]).Sub(now))
	}
	o.mu.Unlock()
	if len(touched) == 0 {
		return next, false
	}
	for group := range touched {
		o.opts.Cluster.Merger.ForgetGroup(group)
	}
	o.opts.Cluster.ForgetDiscovery(o.ctx)
	o.mu.Lock()
	defer o.mu.Unlock()
	for group := range touched {
		o.definitionsOf(group)
	}
	o.resolve = true
	for key, r := range o.releases {
		for group, object := range touched {
			if slices.ContainsFunc(r.allUses(), func(u Use) bool { return u.Kind.Group == group }) {
				o.touch(key, Event{Reason: Definition, Object: object})
			}
		}
	}
	return next, true
}
