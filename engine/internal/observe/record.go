package observe

import (
	"encoding/json"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"time"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// Release names a release.
type Release struct{ Namespace, Name string }

// name is the place of an object among those of its feed.
type name struct{ namespace, name string }

// record is what is kept of an object.
type record struct {
	version string // its resourceVersion
	uid     types.UID
	release Release
	content uint64 // hash of what is neither status nor bookkeeping
	unready bool
	// entries are hashes of the managedFields.
	entries []uint32
	// Only of revisions:
	revision int
	status   string
	matches  bool   // the labels of the release
	holder   uint64 // hash of who works on it; 0: no one
	mark     uint64 // hash of what the holder has written last
	// kinds notes the kinds of its objects; most revisions share one. Zero: its body has
	// to be read.
	kinds unique.Handle[string]
}

// entry is one of an object's managedFields.
type entry struct {
	manager string
	time    time.Time
	status  bool // of the status subresource
	hash    uint32
}

// item is an object on its way from a feed to the observer.
type item struct {
	metav1.PartialObjectMetadata
	record
	managed  []entry
	unmarked bool // it has lost Helm's label
}

func (i *item) at() name { return name{i.Namespace, i.Name} }

// items is a list of them, as a reflector reads it.
type items struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject is there because a list must have it; no one calls it.
func (l *items) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = slices.Clone(l.Items)
	return &out
}

// newItem is what all kinds of objects have in common.
func newItem(o metav1.Object) *item {
	i := &item{}
	i.Name, i.Namespace, i.ResourceVersion = o.GetName(), o.GetNamespace(), o.GetResourceVersion()
	i.version, i.uid = o.GetResourceVersion(), o.GetUID()
	return i
}

// reducer reduces the objects of releases to records. Its strings are shared by
// all records. It is for one observer, which locks it.
type reducer struct {
	seed  maphash.Seed
	rules map[schema.GroupKind]readiness.Rule
}

const (
	annotationName      = "meta.helm.sh/release-name"
	annotationNamespace = "meta.helm.sh/release-namespace"
)

// object reduces an object of a release.
func (r *reducer) object(u *unstructured.Unstructured) *item {
	i := newItem(u)
	a := u.GetAnnotations()
	i.release = Release{a[annotationNamespace], a[annotationName]}
	state := readiness.Assess(u, r.rules).State
	i.unready = state != readiness.Ready && state != readiness.Unknown
	i.content = r.contentOf(u)
	i.addManagers(r.seed, u.GetManagedFields())
	return i
}

// addManagers notes who owns which fields.
func (i *item) addManagers(seed maphash.Seed, fields []metav1.ManagedFieldsEntry) {
	for _, f := range fields {
		e := entry{manager: f.Manager, status: f.Subresource == "status"}
		var h maphash.Hash
		h.SetSeed(seed)
		h.WriteString(strings.Join([]string{f.Manager, string(f.Operation), f.Subresource, f.APIVersion, ""}, "\x00"))
		if f.Time != nil {
			e.time = f.Time.Time
			h.WriteString(f.Time.UTC().Format(time.RFC3339))
		}
		if f.FieldsV1 != nil {
			h.Write(f.FieldsV1.GetRawBytes())
		}
		e.hash = uint32(h.Sum64())
		i.managed = append(i.managed, e)
		i.entries = append(i.entries, e.hash)
	}
}

// contentOf hashes what clients write of an object: all but its status and what the
// API server counts.
func (r *reducer) contentOf(u *unstructured.Unstructured) uint64 {
	content := maps.Clone(u.Object)
	delete(content, "status")
	if metadata, ok := content["metadata"].(map[string]any); ok {
		metadata = maps.Clone(metadata)
		for _, counted := range []string{"resourceVersion", "generation", "managedFields"} {
			delete(metadata, counted)
		}
		content["metadata"] = metadata
	}
	var h maphash.Hash
	h.SetSeed(r.seed)
	if err := json.NewEncoder(&h).Encode(content); err != nil {
		return maphash.String(r.seed, u.GetResourceVersion()) // counts as another content each time
	}
	return h.Sum64()
}

// change is what the managedFields of an object show of who changed it.
type change struct {
	manager string // the last one; empty if that cannot be known
	// shown: an entry is new or another one. Otherwise manager, if not empty, is only
	// likely: it has the latest entry, and a write of the same fields within the same
	// second changes no entry. But so does any write that the API server cannot
	// record: it keeps managedFields as they are where it cannot convert the object to
	// a version in them, which may be one that it no longer serves.
	shown bool
	alone bool // and no other manager can have taken part in it
}

// changedBy is who made the item of what was before: the manager whose entry is new
// or another, the latest of several. Where the content has changed, one that wrote
// more than the status. With several, more than one write may be in between.
func (i *item) changedBy(before *record, several bool) change {
	var known []uint32
	content := true
	if before != nil {
		known, content = before.entries, before.content != i.content
	}
	var changed []*entry
	var last, latest *entry
	unique := true
	for n := range i.managed {
		e := &i.managed[n]
		if content && e.status {
			continue
		}
		if !slices.Contains(known, e.hash) {
			changed = append(changed, e)
			if last == nil || !e.time.Before(last.time) {
				last = e
			}
		}
		switch {
		case latest == nil || e.time.After(latest.time):
			latest, unique = e, true
		case e.time.Equal(latest.time):
			unique = unique && e.manager == latest.manager
		}
	}
	switch {
	case last != nil:
		// A write takes fields out of the entries of others, which keep their time.
		other := func(e *entry) bool {
			return e.manager != last.manager && (several || e.time.Equal(last.time))
		}
		return change{last.manager, true, !slices.ContainsFunc(changed, other)}
	case latest != nil && unique:
		return change{manager: latest.manager}
	}
	return change{}
}
