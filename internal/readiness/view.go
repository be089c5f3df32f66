package readiness

import (
	"cmp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

var (
	podsGVR        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	replicaSetsGVR = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "replicasets"}
	eventsGVR      = schema.GroupVersionResource{Version: "v1", Resource: "events"}
	claimsGVR      = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	classesGVR     = schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}
	secretsGVR     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
)

// warningsOnly selects the events that explain a trouble.
const warningsOnly = "type=Warning"

// view is what is known of one namespace apart from the targets. Pods are found
// by the UID of their owner, so that reused names are not confused.
type view struct {
	pods   map[types.UID]*corev1.Pod
	sets   map[types.UID]*appsv1.ReplicaSet
	events map[types.UID]*corev1.Event

	podsOf   index // owner -> pods
	setsOf   index // owner -> ReplicaSets
	eventsOf index // object that the event is about -> events
}

type index map[types.UID]map[types.UID]struct{}

func (x index) add(owner, child types.UID) {
	if x[owner] == nil {
		x[owner] = map[types.UID]struct{}{}
	}
	x[owner][child] = struct{}{}
}

func (x index) remove(owner, child types.UID) {
	delete(x[owner], child)
	if len(x[owner]) == 0 {
		delete(x, owner)
	}
}

func newView() *view {
	return &view{
		pods: map[types.UID]*corev1.Pod{}, sets: map[types.UID]*appsv1.ReplicaSet{}, events: map[types.UID]*corev1.Event{},
		podsOf: index{}, setsOf: index{}, eventsOf: index{},
	}
}

// replace stores a list of one kind, and removes objects of that kind that are
// not in it.
func (v *view) replace(gvr schema.GroupVersionResource, list []unstructured.Unstructured) {
	kept := make(map[types.UID]bool, len(list))
	for i := range list {
		kept[list[i].GetUID()] = true
	}
	var gone []types.UID
	switch gvr {
	case podsGVR:
		gone = missing(v.pods, kept)
	case replicaSetsGVR:
		gone = missing(v.sets, kept)
	case eventsGVR:
		gone = missing(v.events, kept)
	}
	for _, uid := range gone {
		v.remove(gvr, uid)
	}
	for i := range list {
		v.put(gvr, &list[i])
	}
}

func missing[T any](have map[types.UID]T, kept map[types.UID]bool) []types.UID {
	var gone []types.UID
	for uid := range have {
		if !kept[uid] {
			gone = append(gone, uid)
		}
	}
	return gone
}

// put stores one object. Objects that cannot be decoded are ignored.
func (v *view) put(gvr schema.GroupVersionResource, obj *unstructured.Unstructured) {
	v.remove(gvr, obj.GetUID())
	switch gvr {
	case podsGVR:
		if p := typed[corev1.Pod](obj); p != nil {
			v.pods[p.UID] = p
			v.podsOf.add(controller(p), p.UID)
		}
	case replicaSetsGVR:
		if s := typed[appsv1.ReplicaSet](obj); s != nil {
			v.sets[s.UID] = s
			v.setsOf.add(controller(s), s.UID)
		}
	case eventsGVR:
		if e := typed[corev1.Event](obj); e != nil {
			v.events[e.UID] = e
			v.eventsOf.add(e.InvolvedObject.UID, e.UID)
		}
	}
}

func (v *view) remove(gvr schema.GroupVersionResource, uid types.UID) {
	switch gvr {
	case podsGVR:
		if p, ok := v.pods[uid]; ok {
			v.podsOf.remove(controller(p), uid)
			delete(v.pods, uid)
		}
	case replicaSetsGVR:
		if s, ok := v.sets[uid]; ok {
			v.setsOf.remove(controller(s), uid)
			delete(v.sets, uid)
		}
	case eventsGVR:
		if e, ok := v.events[uid]; ok {
			v.eventsOf.remove(e.InvolvedObject.UID, uid)
			delete(v.events, uid)
		}
	}
}

// roots returns the UIDs that a change of obj may concern: itself, its owner and
// the owner's owner.
func (v *view) roots(gvr schema.GroupVersionResource, obj *unstructured.Unstructured) []types.UID {
	uid := obj.GetUID()
	if gvr == eventsGVR {
		uid = types.UID(text(obj, "involvedObject", "uid"))
		out := []types.UID{uid}
		if p, ok := v.pods[uid]; ok {
			uid = controller(p)
			out = append(out, uid)
		}
		if s, ok := v.sets[uid]; ok {
			out = append(out, controller(s))
		}
		return out
	}
	out := []types.UID{uid}
	if c := metav1.GetControllerOf(obj); c != nil {
		out = append(out, c.UID)
		if s, ok := v.sets[c.UID]; ok {
			out = append(out, controller(s))
		}
	}
	return out
}

func typed[T any](obj *unstructured.Unstructured) *T {
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(obj.Object, out); err != nil {
		return nil
	}
	return out
}

func controller(obj metav1.Object) types.UID {
	if c := metav1.GetControllerOf(obj); c != nil {
		return c.UID
	}
	return ""
}

// podsOwnedBy returns the pods of one owner, sorted by name.
func (v *view) podsOwnedBy(owner types.UID) []*corev1.Pod {
	if owner == "" {
		return nil
	}
	var out []*corev1.Pod
	for uid := range v.podsOf[owner] {
		out = append(out, v.pods[uid])
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// setsOwnedBy returns the ReplicaSets of one owner, the oldest first.
func (v *view) setsOwnedBy(owner types.UID) []*appsv1.ReplicaSet {
	if owner == "" {
		return nil
	}
	var out []*appsv1.ReplicaSet
	for uid := range v.setsOf[owner] {
		out = append(out, v.sets[uid])
	}
	slices.SortFunc(out, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// eventsAbout returns the warnings about an object, the latest first.
func (v *view) eventsAbout(uid types.UID) []*corev1.Event {
	if uid == "" {
		return nil
	}
	var out []*corev1.Event
	for e := range v.eventsOf[uid] {
		out = append(out, v.events[e])
	}
	slices.SortFunc(out, func(a, b *corev1.Event) int {
		return cmp.Or(lastSeen(b).Compare(lastSeen(a)), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// lastSeen returns the latest time at which an event was recorded.
func lastSeen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

func timesSeen(e *corev1.Event) int {
	if e.Series != nil {
		return max(int(e.Series.Count), int(e.Count), 1)
	}
	return max(int(e.Count), 1)
}
