package observe

import (
	"context"
	"hash/maphash"
	"slices"
	"unique"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// Histories are the stored revisions of releases.
type Histories struct {
	Resource schema.GroupVersionResource
	// Selector selects them, and what continues them.
	Selector string
	// Namespace that keeps those of all releases. Empty: each release's own.
	Namespace string
	// Revision reads what is stored; ok is false for what is not of a release.
	Revision func(metav1.ObjectMeta) (r Revision, ok bool)
	// Noted reads what Revision.Kinds notes; ok is false for what is no such note.
	Noted func(r Release, kinds string) (uses []Use, ok bool)
	// Uses reads which kinds a revision has objects of from its body. It returns
	// ErrGone, an *UnreadableError, or why it has to be tried again.
	Uses func(ctx context.Context, r Release, revision int) ([]Use, error)
}

// Revision is what the metadata say of a stored revision.
type Revision struct {
	Release Release
	Number  int // 0: it continues one
	Status  string
	// Matches: its labels are selected.
	Matches bool
	// Kinds notes of which kinds it has objects, if HasKinds. It is a hint: a wrong one
	// makes the observer follow other kinds.
	Kinds    string
	HasKinds bool
	// Holder works on it, and has written Mark last; Content is what else the
	// metadata say.
	Holder, Mark, Content string
}

// Status of a revision whose objects are live, or are gone.
const (
	deployed    = "deployed"
	uninstalled = "uninstalled"
)

// metadataSource reads objects by their metadata.
type metadataSource struct {
	cluster  *cluster.Cluster
	resource schema.GroupVersionResource
	place    place
	selector string
	to       func(*metav1.PartialObjectMetadata) *item
}

// metadataPage is the number of objects in one page.
const metadataPage = 250

func (s *metadataSource) list(ctx context.Context, from string, each func(*item)) (metav1.ListMeta, error) {
	page, err := s.cluster.Metadata.Resource(s.resource).Namespace(s.place.namespace).List(ctx, metav1.ListOptions{LabelSelector: s.selector, Limit: metadataPage, Continue: from})
	if err != nil {
		return metav1.ListMeta{}, err
	}
	for n := range page.Items {
		if i := s.to(&page.Items[n]); i != nil {
			each(i)
		}
	}
	return page.ListMeta, nil
}

func (s *metadataSource) watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.LabelSelector = s.selector
	return s.cluster.Metadata.Resource(s.resource).Namespace(s.place.namespace).Watch(ctx, opts)
}

func (s *metadataSource) reduce(o runtime.Object) *item {
	m, ok := o.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil
	}
	return s.to(m)
}

// historyFeeds are the feeds of revisions.
func (o *Observer) historyFeeds() []*feed {
	h := o.opts.Histories
	namespaces := o.opts.Namespaces
	switch {
	case h.Namespace != "":
		namespaces = []string{h.Namespace}
	case len(namespaces) == 0:
		namespaces = []string{""}
	}
	for _, namespace := range namespaces {
		at := place{h.Resource.GroupResource(), namespace}
		o.histories = append(o.histories, &feed{
			place: at, handler: revisions{o}, records: map[name]*record{},
			source: &metadataSource{o.opts.Cluster, h.Resource, at, h.Selector, o.revision},
		})
	}
	return o.histories
}

// revision reduces a stored revision; nil: it is of no release that is followed.
func (o *Observer) revision(m *metav1.PartialObjectMetadata) *item {
	r, ok := o.opts.Histories.Revision(m.ObjectMeta)
	if !ok || !o.follows(r.Release) {
		return nil
	}
	i := newItem(m)
	i.release, i.revision, i.status, i.matches = r.Release, r.Number, r.Status, r.Matches
	hash := func(text string) uint64 { return maphash.String(o.reducer.seed, text) }
	i.content, i.mark = hash(r.Content), hash(r.Mark)
	if r.Holder != "" {
		i.holder = hash(r.Holder)
	}
	if r.HasKinds {
		i.kinds = unique.Make(r.Kinds)
	}
	i.addManagers(o.reducer.seed, m.ManagedFields)
	return i
}

// follows reports whether a release is in one of the namespaces.
func (o *Observer) follows(r Release) bool {
	return len(o.opts.Namespaces) == 0 || slices.Contains(o.opts.Namespaces, r.Namespace)
}

// revisions handles the feeds of revisions.
type revisions struct{ *Observer }

func (o revisions) failed(f *feed, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !f.known && (apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)) && o.fatal == nil {
		o.fatal = &HistoryError{o.opts.Histories.Resource.Resource, f.place.namespace, err}
		o.queue.signal()
	}
}

// HistoryError is why the revisions of releases cannot be followed.
type HistoryError struct {
	Resource, Namespace string
	Err                 error
}

func (e *HistoryError) Error() string {
	where := "in the cluster"
	if e.Namespace != "" {
		where = "in namespace " + e.Namespace
	}
	return "list " + e.Resource + " " + where + ": " + e.Err.Error()
}

func (e *HistoryError) Unwrap() error { return e.Err }

func (o revisions) replaced(f *feed, all []*item, first bool) {
	own := map[*item]bool{}
	for _, i := range all {
		own[i] = !first && o.opts.Writes.own(o.ctx, f.named(i), i.version)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	missing := f.missing(all)
	for _, i := range all {
		if before := f.records[i.at()]; before == nil || before.version != i.version {
			o.set(f, i, first, own[i])
		}
	}
	for at, before := range missing {
		o.remove(f, at, before, false)
	}
	f.known = true
	o.wake()
}

func (o revisions) changed(f *feed, i *item) {
	own := o.opts.Writes.own(o.ctx, f.named(i), i.version)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.set(f, i, false, own)
	o.wake()
}

func (o revisions) deleted(f *feed, i *item) {
	own := o.opts.Writes.own(o.ctx, f.named(i), gone)
	o.mu.Lock()
	defer o.mu.Unlock()
	if before := f.records[i.at()]; before != nil {
		o.remove(f, i.at(), before, own)
		o.wake()
	}
}

// set notes a revision. The caller has locked.
func (o revisions) set(f *feed, i *item, first, own bool) {
	before := f.records[i.at()]
	kept := i.record
	r := o.releases[kept.release]
	if r == nil {
		r = &release{key: kept.release, revisions: map[name]*record{}, uses: map[int]used{}, found: !first}
		o.releases[kept.release] = r
	}
	f.records[i.at()], r.revisions[i.at()] = &kept, &kept
	if !first && r.found && !kept.renews(before) {
		o.touch(kept.release, Event{Reason: History, Manager: i.changedBy(before, false).manager, Own: own})
	}
	o.dirty[kept.release] = true
}

// renews reports whether all that has changed of a revision is that its holder has
// renewed the mark.
func (r *record) renews(before *record) bool {
	return before != nil && before.uid == r.uid && r.holder != 0 && before.holder == r.holder && before.mark != r.mark && before.content == r.content
}

// remove forgets a revision, and its release with the last one. The caller has
// locked.
func (o revisions) remove(f *feed, at name, before *record, own bool) {
	r := o.releases[before.release]
	delete(f.records, at)
	if r == nil {
		return
	}
	if r.found {
		o.touch(before.release, Event{Reason: History, Own: own})
	}
	if delete(r.revisions, at); len(r.revisions) == 0 {
		delete(o.releases, before.release)
	}
	o.dirty[before.release] = true
}
