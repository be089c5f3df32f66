package observe

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/klog/v2"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/readiness"
	"github.com/fairlead-dev/fairlead/render"
)

// Options of an Observer.
type Options struct {
	Cluster *cluster.Cluster
	Rules   map[schema.GroupKind]readiness.Rule
	// Namespaces of the releases to follow. Empty: all of the cluster.
	Namespaces []string
	// Manager is the field manager whose changes are the engine's own.
	Manager string
	// Own: these are handed out as well.
	Own       bool
	Histories Histories
	Writes    *Writes
}

// Reason is why a release was touched.
type Reason string

const (
	Found      Reason = "Found"
	Changed    Reason = "Changed"
	Deleted    Reason = "Deleted"
	Ready      Reason = "Ready"
	Unready    Reason = "Unready"
	History    Reason = "History"
	Definition Reason = "Definition"
	Unwatched  Reason = "Unwatched"
)

// Event is one thing that happened to a release.
type Event struct {
	Reason  Reason
	Object  diff.Object
	Manager string
	Own     bool
	Err     error
}

// place is what a feed follows: the objects of a resource, in a namespace or, if
// that is empty, in all.
type place struct {
	resource  schema.GroupResource
	namespace string
}

func (p place) String() string {
	if p.namespace == "" {
		return p.resource.String()
	}
	return fmt.Sprintf("%s in namespace %s", p.resource, p.namespace)
}

// Observer follows releases until it is stopped. It is safe for concurrent use.
type Observer struct {
	opts    Options
	reducer reducer
	ctx     context.Context
	cancel  context.CancelFunc
	logger  klog.Logger
	group   sync.WaitGroup

	histories   []*feed
	definitions []*feed

	mu       sync.Mutex
	feeds    map[place]*feed // of objects
	narrow   map[schema.GroupResource]bool
	releases map[Release]*release
	dirty    map[Release]bool                              // whose kinds are to be found out
	unread   map[Release]bool                              // those of them that have revisions whose bodies are to be read
	resolve  bool                                          // the feeds do not match the kinds in use
	kinds    map[schema.GroupVersionKind]*meta.RESTMapping // in use, when feeds were matched last
	changes  map[string]*definitionChange
	changed  map[string]uint64 // by group, epoch.definitions when one of its definitions changed
	epoch    Epoch
	queue    queue
	fatal    error

	wakeWorker, wakeReader chan struct{}

	// By the worker alone:
	refreshed time.Time
	served    *render.Capabilities
}

// Start begins to observe. The Observer must be stopped.
func Start(ctx context.Context, opts Options) *Observer {
	o := &Observer{
		opts: opts, reducer: reducer{maphash.MakeSeed(), opts.Rules},
		feeds: map[place]*feed{}, narrow: map[schema.GroupResource]bool{}, releases: map[Release]*release{},
		dirty: map[Release]bool{}, unread: map[Release]bool{}, changes: map[string]*definitionChange{}, changed: map[string]uint64{},
		queue: newQueue(), wakeWorker: make(chan struct{}, 1), wakeReader: make(chan struct{}, 1),
	}
	ctx = opts.Cluster.Quiet(ctx)
	o.ctx, o.cancel = context.WithCancel(ctx)
	o.logger = klog.FromContext(ctx)
	opts.Writes.follow(1)
	for _, f := range append(o.definitionFeeds(), o.historyFeeds()...) {
		f.start(o.ctx, o.logger)
	}
	o.group.Go(o.work)
	o.group.Go(o.readKinds)
	return o
}

// Stop ends all that the Observer has begun, and waits for it.
func (o *Observer) Stop() {
	o.cancel()
	o.group.Wait()
	o.mu.Lock()
	feeds := slices.Concat(o.histories, o.definitions)
	for _, f := range o.feeds {
		feeds = append(feeds, f)
	}
	o.mu.Unlock()
	for _, f := range feeds {
		f.stop()
	}
	o.opts.Writes.follow(-1)
}

// Next waits for a release that was touched, and returns what has happened to it
// since it was last returned; more is how many events were left out. ok is false
// when ctx has ended, or with the error that ends the observation.
func (o *Observer) Next(ctx context.Context) (r Release, events []Event, more int, ok bool, err error) {
	for {
		o.mu.Lock()
		r, events, more, ok = o.queue.take()
		err = o.fatal
		o.mu.Unlock()
		if ok || err != nil {
			return r, events, more, ok, err
		}
		select {
		case <-ctx.Done():
			return Release{}, nil, 0, false, nil
		case <-o.queue.wake:
		}
	}
}

// touch notes an event of a release. The caller has locked.
func (o *Observer) touch(r Release, e Event) {
	if known := o.releases[r]; known != nil && known.matches() && (o.opts.Own || !e.Own) {
		o.queue.add(r, e)
	}
}

// work finds out which kinds releases use and starts and stops feeds, until the
// context ends.
func (o *Observer) work() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for failures := 0; ; {
		select {
		case <-o.ctx.Done():
			return
		case <-o.wakeWorker:
		case <-pause.C:
		}
		now := time.Now()
		next, changed := o.refreshDefinitions(now)
		next = min(next, o.refreshKinds(now, changed))
		o.findKinds()
		if o.followKinds() {
			failures = 0
		} else {
			failures = min(failures+1, 8)
			next = min(next, 100*time.Millisecond<<failures)
		}
		pause.Reset(next)
	}
}

func (o *Observer) wake() { wake(o.wakeWorker) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// idle is how long the worker waits if nothing wakes it.
const idle = time.Hour
