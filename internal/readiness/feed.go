package readiness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// feed lists and watches a kind in a namespace and sends a note for each change.
// It ends with its context, or when the server keeps rejecting its requests.
type feed struct {
	client    dynamic.Interface
	gvr       schema.GroupVersionResource
	namespace string // empty: cluster scope
	selector  string // field selector; empty: all objects
	version   string // begin to watch from here; empty: list first
	auxiliary bool   // not of targets: pods, ReplicaSets and events, for the diagnosis
}

// note is what a feed sends. Exactly one of the fields after feed is set.
type note struct {
	feed    *feed
	listed  *unstructured.UnstructuredList // all objects: the ones that are missing were deleted
	changed *unstructured.Unstructured
	deleted *unstructured.Unstructured // in its last state
	trouble error                      // the feed is interrupted and will retry
	fatal   error                      // the feed has ended
	learned func()                     // stores the result of a separate request; feed is nil
	ended   bool                       // something that ran in the background has ended; feed is nil
}

const (
	// A server that has only just started rejects requests before it has loaded
	// its roles and CRDs; a rejection is final once it has lasted this long.
	refusalGrace = 3 * time.Second
	// After the feed has worked, the same rejection is more likely temporary.
	refusalGraceLater = 30 * time.Second

	minBackoff = 20 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// FeedError is returned when objects could not be watched.
type FeedError struct {
	GVR       schema.GroupVersionResource
	Namespace string
	Err       error
}

func (e *FeedError) Error() string {
	where := "in the cluster"
	if e.Namespace != "" {
		where = "in namespace " + e.Namespace
	}
	advice := ""
	if apierrors.IsForbidden(e.Err) {
		advice = `; waiting needs the verbs "list" and "watch"`
	}
	return fmt.Sprintf("cannot watch %s %s: %v%s", e.GVR.GroupResource(), where, e.Err, advice)
}

func (e *FeedError) Unwrap() error { return e.Err }

// run lists and watches until ctx ends. Notes are sent in the order in which
// the server reports; a send never outlives ctx.
func (f *feed) run(ctx context.Context, out chan<- note) {
	send := func(n note) bool {
		n.feed = f
		select {
		case out <- n:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var (
		version      = f.version // resume from here; empty: list first
		everWorked   bool
		refusedSince time.Time
		pause        backoff
	)
	for ctx.Err() == nil {
		started := time.Now()
		progressed, err := f.cycle(ctx, &version, send)
		if ctx.Err() != nil {
			return
		}
		if progressed {
			everWorked, refusedSince = true, time.Time{}
		}
		if err != nil && !everWorked && version != "" && version == f.version && !apierrors.IsForbidden(err) {
			version = "" // it is not a version to watch from: list, as without it
			continue
		}
		if err == nil {
			// The server closed the watch, as it does every few minutes. A watch
			// that is closed at once must not be reopened without a pause.
			if time.Since(started) > time.Second {
				pause.reset()
				continue
			}
		} else {
			if refused(err) {
				if refusedSince.IsZero() {
					refusedSince = time.Now()
				}
				grace := refusalGrace
				if everWorked {
					grace = refusalGraceLater
				}
				// A Forbidden at the first attempt is final.
				if time.Since(refusedSince) >= grace || !everWorked && apierrors.IsForbidden(err) {
					send(note{fatal: &FeedError{GVR: f.gvr, Namespace: f.namespace, Err: err}})
					return
				}
			}
			if !send(note{trouble: &FeedError{GVR: f.gvr, Namespace: f.namespace, Err: err}}) {
				return
			}
		}
		if progressed {
			pause.reset()
		}
		if !pause.wait(ctx, err) {
			return
		}
	}
}

// look lists once, and sends what is there, or that it cannot be listed.
func (f *feed) look(ctx context.Context, out chan<- note) {
	n := note{feed: f}
	list, err := f.resource().List(ctx, metav1.ListOptions{FieldSelector: f.selector})
	if n.listed = list; err != nil {
		n.listed, n.fatal = nil, &FeedError{GVR: f.gvr, Namespace: f.namespace, Err: err}
	}
	select {
	case out <- n:
	case <-ctx.Done():
	}
}

// refused reports whether an error will not go away by retrying, unlike those
// of a busy, unreachable or restarting server.
func refused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err) ||
		apierrors.IsMethodNotSupported(err) || apierrors.IsBadRequest(err)
}

// cycle lists if there is no version to resume from, and watches until the
// watch ends. progressed reports whether the server returned any data.
func (f *feed) cycle(ctx context.Context, version *string, send func(note) bool) (progressed bool, err error) {
	if *version == "" {
		// An empty resource version requests the newest state: an older one
		// might miss what was just applied.
		list, err := f.resource().List(ctx, metav1.ListOptions{FieldSelector: f.selector})
		if err != nil {
			return false, err
		}
		if !send(note{listed: list}) {
			return false, nil
		}
		progressed = true
		*version = list.GetResourceVersion()
	}
	// The server ends the watch by itself, after a random time, so that a
	// connection that broke unnoticed cannot block the wait forever.
	limit := int64(240 + rand.IntN(240))
	w, err := f.resource().Watch(ctx, metav1.ListOptions{
		FieldSelector: f.selector, ResourceVersion: *version,
		AllowWatchBookmarks: true, TimeoutSeconds: &limit,
	})
	if err != nil {
		if expired(err) {
			*version = ""
			return progressed, nil
		}
		return progressed, err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return progressed, nil
		case ev, open := <-w.ResultChan():
			if !open {
				return progressed, nil
			}
			if ev.Type == watch.Error {
				err := apierrors.FromObject(ev.Object)
				if expired(err) {
					*version = ""
					return progressed, nil
				}
				return progressed, err
			}
			obj, ok := ev.Object.(*unstructured.Unstructured)
			if !ok {
				*version = ""
				return progressed, fmt.Errorf("the watch sent a %T", ev.Object)
			}
			progressed = true
			*version = obj.GetResourceVersion()
			n := note{changed: obj}
			switch ev.Type {
			case watch.Bookmark:
				continue
			case watch.Deleted:
				n = note{deleted: obj}
			}
			if !send(n) {
				return progressed, nil
			}
		}
	}
}

// expired reports whether the server no longer has the version to resume from.
func expired(err error) bool {
	return apierrors.IsGone(err) || apierrors.IsResourceExpired(err)
}

func (f *feed) resource() dynamic.ResourceInterface {
	if f.namespace == "" {
		return f.client.Resource(f.gvr)
	}
	return f.client.Resource(f.gvr).Namespace(f.namespace)
}

// backoff grows from minBackoff to maxBackoff, half of it random, so that many
// waits do not reconnect to a restarted server at the same time.
type backoff struct{ next time.Duration }

func (b *backoff) reset() { b.next = 0 }

// wait pauses, longer if the server asks for it. False: ctx has ended.
func (b *backoff) wait(ctx context.Context, err error) bool {
	b.next = min(max(2*b.next, minBackoff), maxBackoff)
	d := b.next/2 + rand.N(b.next/2+1)
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && !errors.Is(err, context.Canceled) {
		d = max(d, time.Duration(min(seconds, 10))*time.Second)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
