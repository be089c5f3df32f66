package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// Cluster is what an engine works on in a test: objects in memory. It is safe for
// concurrent use.
type Cluster struct {
	builtIn []kind

	mu      sync.Mutex
	objects map[schema.GroupKind]map[types.NamespacedName]*unstructured.Unstructured
	version uint64
	log     []event
	changed chan struct{} // closed when something is added to the log
	held    map[diff.Object]bool
	faults  []*fault
}

// event is one change, for watches.
type event struct {
	version uint64
	kind    string // ADDED, MODIFIED, DELETED
	object  *unstructured.Unstructured
}

// New returns a cluster that has the namespaces default and kube-system, and those
// that are named.
func New(namespaces ...string) *Cluster {
	c := &Cluster{
		builtIn: builtIn(), objects: map[schema.GroupKind]map[types.NamespacedName]*unstructured.Unstructured{},
		changed: make(chan struct{}), held: map[diff.Object]bool{},
	}
	for _, name := range slices.Concat([]string{"default", "kube-system"}, namespaces) {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
		u.SetName(name)
		c.mu.Lock()
		c.store(u, nil)
		c.mu.Unlock()
	}
	return c
}

// Config is how clients reach the cluster: it opens no connection.
func (c *Cluster) Config() *rest.Config {
	return &rest.Config{Host: "http://enginetest.invalid", Transport: transport{c}, QPS: -1}
}

// Engine returns an engine on the cluster, as engine.New does.
func (c *Cluster) Engine(opts engine.Options) (*engine.Engine, error) {
	return engine.New(c.Config(), opts)
}

// Object returns a copy of an object, in any version; nil if there is none.
func (c *Cluster) Object(o diff.Object) *unstructured.Unstructured {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(o.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: o.Namespace, Name: o.Name}).DeepCopy()
}

// Objects returns copies of all objects, by kind, namespace and name.
func (c *Cluster) Objects() []*unstructured.Unstructured {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*unstructured.Unstructured
	for _, all := range c.objects {
		for _, u := range all {
			out = append(out, u.DeepCopy())
		}
	}
	slices.SortFunc(out, func(a, b *unstructured.Unstructured) int {
		return strings.Compare(diff.ObjectOf(a).String(), diff.ObjectOf(b).String())
	})
	return out
}

// Edit changes an object as another client, under the name of its field manager; the
// change must not keep what it gets.
func (c *Cluster) Edit(o diff.Object, manager string, change func(*unstructured.Unstructured)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	live := c.get(o.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: o.Namespace, Name: o.Name})
	if live == nil {
		return fmt.Errorf("edit %s: it does not exist", o)
	}
	next := live.DeepCopy()
	change(next)
	next, err := c.owned(live, next, manager)
	if err != nil {
		return fmt.Errorf("edit %s: %w", o, err)
	}
	c.store(next, live)
	return nil
}

// Create creates an object as another client. The namespace must exist.
func (c *Cluster) Create(u *unstructured.Unstructured, manager string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.create(u.DeepCopy(), manager, false)
	return err
}

// Delete deletes an object as another client, with all that it owns.
func (c *Cluster) Delete(o diff.Object) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if live := c.get(o.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: o.Namespace, Name: o.Name}); live != nil {
		live = live.DeepCopy()
		live.SetFinalizers(nil)
		c.remove(live)
	}
}

// Hold keeps an object from becoming ready until Release is called; it need not exist
// yet. One that was ready no longer is. It has an effect on the kinds whose status the
// cluster plays, see the package.
func (c *Cluster) Hold(o diff.Object) { c.hold(o, true) }

// Release ends Hold: the object is ready.
func (c *Cluster) Release(o diff.Object) { c.hold(o, false) }

func (c *Cluster) hold(o diff.Object, hold bool) {
	o.Version = ""
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[o] = hold; !hold {
		delete(c.held, o)
	}
	if live := c.get(o.GroupVersionKind().GroupKind(), types.NamespacedName{Namespace: o.Namespace, Name: o.Name}); live != nil {
		c.store(live.DeepCopy(), live)
	}
}

func (c *Cluster) get(gk schema.GroupKind, name types.NamespacedName) *unstructured.Unstructured {
	return c.objects[gk][name]
}

// store writes an object and plays its controller; it is the cluster's own from now on.
func (c *Cluster) store(u, before *unstructured.Unstructured) {
	kind := "ADDED"
	if before != nil {
		kind = "MODIFIED"
		if !sameSpec(before, u) {
			u.SetGeneration(before.GetGeneration() + 1)
		}
	} else {
		u.SetUID(uuid.NewUUID())
		u.SetGeneration(1)
		u.SetCreationTimestamp(metav1.Now().Rfc3339Copy())
	}
	id := diff.ObjectOf(u)
	id.Version = ""
	play(u, c.held[id])
	gk := u.GroupVersionKind().GroupKind()
	if c.objects[gk] == nil {
		c.objects[gk] = map[types.NamespacedName]*unstructured.Unstructured{}
	}
	c.objects[gk][types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}] = u
	c.record(kind, u)
}

func (c *Cluster) record(kind string, u *unstructured.Unstructured) {
	c.version++
	u.SetResourceVersion(strconv.FormatUint(c.version, 10))
	c.log = append(c.log, event{c.version, kind, u})
	close(c.changed)
	c.changed = make(chan struct{})
}

// sameSpec reports whether two states of an object differ in metadata and status only.
func sameSpec(a, b *unstructured.Unstructured) bool {
	without := func(u *unstructured.Unstructured) map[string]any {
		out := maps.Clone(u.Object)
		delete(out, "metadata")
		delete(out, "status")
		return out
	}
	return equal(without(a), without(b))
}

// create stores a new object; dry only returns what it would be.
func (c *Cluster) create(u *unstructured.Unstructured, manager string, dry bool) (*unstructured.Unstructured, error) {
	if u.GetName() == "" && u.GetGenerateName() != "" {
		u.SetName(u.GetGenerateName() + rand.String(5))
	}
	gk := u.GroupVersionKind().GroupKind()
	resource := schema.GroupResource{Group: gk.Group, Resource: strings.ToLower(gk.Kind)}
	if u.GetName() == "" {
		return nil, apierrors.NewBadRequest("the object has no name")
	}
	if c.get(gk, types.NamespacedName{Namespace: u.GetNamespace(), Name: u.GetName()}) != nil {
		return nil, apierrors.NewAlreadyExists(resource, u.GetName())
	}
	if err := c.admitted(u.GetNamespace()); err != nil {
		return nil, err
	}
	normalize(u)
	empty := &unstructured.Unstructured{}
	empty.SetGroupVersionKind(u.GroupVersionKind())
	u, err := c.owned(empty, u, manager)
	if err != nil || dry {
		return u, err
	}
	c.store(u, nil)
	return u, nil
}

func (c *Cluster) admitted(namespace string) error {
	if namespace != "" && c.get(schema.GroupKind{Kind: "Namespace"}, types.NamespacedName{Name: namespace}) == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, namespace)
	}
	return nil
}

// owned records in managedFields what a manager has changed by an update.
func (c *Cluster) owned(live, next *unstructured.Unstructured, manager string) (*unstructured.Unstructured, error) {
	m, err := fieldManager(next.GroupVersionKind())
	if err != nil {
		return nil, err
	}
	out, err := m.Update(live, next, manager)
	if err != nil {
		return nil, err
	}
	return out.(*unstructured.Unstructured), nil
}

// remove deletes an object, and what it owns; one with finalizers stays until they are
// gone.
func (c *Cluster) remove(live *unstructured.Unstructured) {
	if len(live.GetFinalizers()) > 0 {
		if live.GetDeletionTimestamp() == nil {
			next := live.DeepCopy()
			next.SetDeletionTimestamp(new(metav1.NewTime(time.Now().Truncate(time.Second))))
			c.store(next, live)
		}
		return
	}
	gk, uid := live.GroupVersionKind().GroupKind(), live.GetUID()
	delete(c.objects[gk], types.NamespacedName{Namespace: live.GetNamespace(), Name: live.GetName()})
	c.record("DELETED", live.DeepCopy())
	for _, all := range c.objects {
		for _, u := range all {
			owned := slices.ContainsFunc(u.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == uid })
			within := gk == schema.GroupKind{Kind: "Namespace"} && u.GetNamespace() == live.GetName()
			if owned || within {
				c.remove(u)
			}
		}
	}
}
