package observe

import (
	"context"
	"maps"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/fairlead-dev/fairlead/diff"
)

// catchUp is how long after a watch was resumed its feed counts as behind: events
// of the time without a watch may still be on their way.
const catchUp = time.Second

// backoff bounds the pauses between attempts of a feed that fails.
var backoff = wait.Backoff{Duration: 100 * time.Millisecond, Cap: 30 * time.Second, Steps: 300, Factor: 2, Jitter: 1}

// source lists and watches the objects of a feed.
type source interface {
	// list reads a page and hands over its objects, reduced; next is empty after
	// the last one.
	list(ctx context.Context, from string, each func(*item)) (page metav1.ListMeta, err error)
	watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error)
	// reduce reduces what a watch has sent; nil: it is of no interest.
	reduce(o runtime.Object) *item
}

// handler receives what a feed reads. Its methods are called by one goroutine.
type handler interface {
	// replaced: these are all objects. first: nothing was known before.
	replaced(f *feed, all []*item, first bool)
	changed(f *feed, i *item)
	deleted(f *feed, i *item)
	// failed: the objects cannot be listed. It is tried again.
	failed(f *feed, err error)
}

// feed follows the objects of one kind, in one namespace or in all.
type feed struct {
	place   place
	kind    schema.GroupVersionKind // of objects and definitions
	source  source
	handler handler
	// namespaced objects can be followed in single namespaces.
	namespaced bool

	ended  context.CancelFunc
	group  sync.WaitGroup
	mu     sync.Mutex // guards what follows
	closed bool
	listed time.Time // when all objects were read last; zero: not yet, or not since a failure
	opened time.Time // when the watch began; zero: there is none
	behind bool      // the watch was resumed, and is behind until catchUp has passed
	watch  *reduced  // the present one

	// By the observer, under its lock:
	records map[name]*record
	known   bool  // all objects were read once
	err     error // why they cannot be; nil: they can, or it was not tried yet
}

// start runs the feed until its context ends, or stop is called.
func (f *feed) start(ctx context.Context, logger klog.Logger) {
	ctx, f.ended = context.WithCancel(ctx)
	pause := backoff
	reflector := cache.NewReflectorWithOptions(listWatch{f}, nil, (*sink)(f), cache.ReflectorOptions{
		Name: "fairlead", TypeDescription: f.place.String(), Logger: &logger, Backoff: &pause,
	})
	f.group.Go(func() { reflector.RunWithContext(klog.NewContext(ctx, logger)) })
}

// stop ends the feed and waits for it.
func (f *feed) stop() {
	f.ended()
	f.mu.Lock()
	f.closed = true // no request begins after this
	f.mu.Unlock()
	f.group.Wait()
}

// begin reports whether a request may begin; then it ends with group.Done.
func (f *feed) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	f.group.Add(1)
	return true
}

// inSync reports whether the feed has seen all that happened, but for what is on
// its way.
func (f *feed) inSync() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listed.IsZero() || f.opened.IsZero() {
		return false
	}
	if f.behind && time.Since(f.opened) > catchUp {
		f.behind = false
	}
	return !f.behind
}

// object names an object of the feed.
func (f *feed) object(at name) diff.Object {
	return diff.Object{Group: f.kind.Group, Version: f.kind.Version, Kind: f.kind.Kind, Namespace: at.namespace, Name: at.name}
}

// named names what the feed has read.
func (f *feed) named(i *item) Object { return Object{f.place.resource, i.Namespace, i.Name} }

// missing returns the records of objects that are not among all that there are.
func (f *feed) missing(all []*item) map[name]*record {
	out := maps.Clone(f.records)
	for _, i := range all {
		delete(out, i.at())
	}
	return out
}

// listWatch is the feed as a reflector uses it.
type listWatch struct{ f *feed }

// IsWatchListSemanticsUnSupported: pages are read one by one, and reduced at
// once, which takes less memory than the streaming of a whole list.
func (listWatch) IsWatchListSemanticsUnSupported() bool { return true }

// Lists and watches without a context are not called by a reflector.
func (l listWatch) List(opts metav1.ListOptions) (runtime.Object, error) {
	return l.ListWithContext(context.Background(), opts)
}

func (l listWatch) Watch(opts metav1.ListOptions) (watch.Interface, error) {
	return l.WatchWithContext(context.Background(), opts)
}

// ListWithContext reads all pages, as of now: an older state might miss what was
// seen before.
func (l listWatch) ListWithContext(ctx context.Context, _ metav1.ListOptions) (runtime.Object, error) {
	if !l.f.begin() {
		return nil, context.Canceled
	}
	defer l.f.group.Done()
	out := &items{}
	for from := ""; ; {
		page, err := l.f.source.list(ctx, from, func(i *item) { out.Items = append(out.Items, i) })
		if apierrors.IsResourceExpired(err) && from != "" {
			from, out.Items = "", nil // the pages so far are too old to go on from
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				l.f.unlisted()
				l.f.handler.failed(l.f, err)
			}
			return nil, err
		}
		if from = page.Continue; from == "" {
			out.ResourceVersion = page.ResourceVersion
			return out, nil
		}
	}
}

func (l listWatch) WatchWithContext(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	if !l.f.begin() {
		return nil, context.Canceled
	}
	w, err := l.f.source.watch(ctx, opts)
	if err != nil {
		l.f.group.Done()
		return nil, err
	}
	f, out := l.f, &reduced{in: w, out: make(chan watch.Event), done: make(chan struct{})}
	f.mu.Lock()
	f.opened, f.watch = time.Now(), out
	f.behind = f.opened.Sub(f.listed) > catchUp
	f.mu.Unlock()
	go func() {
		defer f.group.Done()
		out.run(f)
	}()
	return out, nil
}

// unlisted notes that all has to be listed again.
func (f *feed) unlisted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listed = time.Time{}
}

// lost notes that a watch has ended.
func (f *feed) lost(w *reduced) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.watch == w {
		f.watch, f.opened = nil, time.Time{}
	}
}

// reduced is a watch whose objects are reduced as they arrive.
type reduced struct {
	in   watch.Interface
	out  chan watch.Event
	once sync.Once
	done chan struct{}
}

func (r *reduced) ResultChan() <-chan watch.Event { return r.out }

func (r *reduced) Stop() {
	r.once.Do(func() {
		close(r.done)
		r.in.Stop()
	})
}

// run ends with the watch.
func (r *reduced) run(f *feed) {
	defer close(r.out)
	defer r.in.Stop()
	defer f.lost(r)
	for {
		select {
		case <-r.done:
			return
		case e, open := <-r.in.ResultChan():
			if !open {
				return
			}
			switch e.Type {
			case watch.Added, watch.Modified, watch.Deleted:
				i := f.source.reduce(e.Object)
				if i == nil {
					continue
				}
				e.Object = i
			case watch.Error:
				f.lost(r)
			}
			select {
			case r.out <- e:
			case <-r.done:
				return
			}
		}
	}
}

// sink is where a reflector stores what it reads.
type sink feed

func (s *sink) Add(o any) error    { return s.Update(o) }
func (s *sink) Resync() error      { return nil }
func (s *sink) Update(o any) error { s.handler.changed((*feed)(s), o.(*item)); return nil }
func (s *sink) Delete(o any) error { s.handler.deleted((*feed)(s), o.(*item)); return nil }

func (s *sink) Replace(list []any, _ string) error {
	all := make([]*item, 0, len(list))
	for _, o := range list {
		all = append(all, o.(*item))
	}
	f := (*feed)(s)
	first := !f.known
	f.handler.replaced(f, all, first)
	f.mu.Lock()
	f.listed = time.Now()
	f.mu.Unlock()
	return nil
}
