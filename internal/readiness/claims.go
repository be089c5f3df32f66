package readiness

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// refreshAfter is how long a StorageClass or the claims of a pod stay cached.
// They are read, not watched: few waits need them, and fewer for long.
const refreshAfter = 2 * time.Second

// class is what the wait needs to know of a StorageClass.
type class struct {
	asked   time.Time
	missing bool
	lazy    bool // binds when a pod uses the claim
	denied  bool // it cannot be read
}

func isClaim(t Target) bool {
	return t.GVR.Group == "" && t.Kind == "PersistentVolumeClaim"
}

// claimStatus returns the status of a pending claim by its class: one that waits
// for its first consumer, and has none, counts as ready.
func (w *waiter) claimStatus(obj *unstructured.Unstructured, st Status) Status {
	name := classToAsk(obj)
	if name == "" {
		return st
	}
	c := w.classes[name]
	if c == nil {
		c = &class{}
		w.classes[name] = c
	}
	if now := time.Now(); now.Sub(c.asked) >= refreshAfter {
		c.asked = now
		w.background(func() { w.lookUpClass(name, c) })
	}
	return c.claimStatus(name, st)
}

// claimStatus is the same for a claim that is looked at once.
func (r *reader) claimStatus(obj *unstructured.Unstructured, st Status) Status {
	name := classToAsk(obj)
	if name == "" {
		return st
	}
	c := readClass(r.ctx, r.o, name)
	return c.claimStatus(name, st)
}

// classToAsk is the StorageClass that decides about a pending claim without a
// consumer; empty if there is none.
func classToAsk(claim *unstructured.Unstructured) string {
	if claim.GetAnnotations()["volume.kubernetes.io/selected-node"] != "" {
		return "" // it has a consumer, and a volume is being provisioned
	}
	return text(claim, "spec", "storageClassName")
}

// claimStatus is the status of a pending claim of the class, which has the name.
func (c *class) claimStatus(name string, st Status) Status {
	switch {
	case c.lazy:
		return st.ready("WaitForFirstConsumer", "a volume is bound once a pod uses the claim")
	case c.denied:
		st.State, st.Reason = Unknown, "ClassUnreadable"
		st.Message = fmt.Sprintf("pending; cannot read whether StorageClass %q waits for the first consumer", name)
	}
	return st
}

func (w *waiter) lookUpClass(name string, c *class) {
	found := readClass(w.ctx, w.o, name)
	select {
	case w.notes <- note{learned: func() { *c = found }}:
	case <-w.ctx.Done():
	}
}

func readClass(ctx context.Context, o Options, name string) class {
	obj, err := o.Client.Resource(classesGVR).Get(ctx, name, metav1.GetOptions{})
	found := class{asked: time.Now()}
	switch {
	case apierrors.IsNotFound(err):
		found.missing = true
	case err != nil:
		found.denied = true
	default:
		found.lazy = text(obj, "volumeBindingMode") == "WaitForFirstConsumer"
	}
	return found
}

// claimTroubles returns what is wrong with a claim that is a target itself.
func (w *waiter) claimTroubles(tr *tracked) []trouble {
	if tr.status.State != Progressing {
		return nil
	}
	name, named, _ := unstructured.NestedString(tr.obj.Object, "spec", "storageClassName")
	if c := w.classes[name]; c != nil && c.missing {
		return []trouble{{key: "claim", cause: CauseClaimRefused, reason: "ClassNotFound", message: fmt.Sprintf("StorageClass %q does not exist", name)}}
	}
	for _, e := range w.spaces[tr.Namespace].view.eventsAbout(tr.obj.GetUID()) {
		if strings.HasPrefix(e.Reason, "Provisioning") || e.Reason == "FailedBinding" {
			return []trouble{{key: "claim", cause: CauseClaim, reason: e.Reason, message: e.Message}}
		}
	}
	message := "no volume is bound"
	if !named {
		message = "the claim names no StorageClass and the cluster has no default one"
	} else if name != "" {
		message = fmt.Sprintf("no volume is bound; the provisioner of StorageClass %q has reported nothing yet", name)
	}
	return []trouble{{key: "claim", cause: CauseClaim, reason: "Unbound", message: message}}
}

// podClaims is what is known about the claims of a pod without a node.
type podClaims struct {
	asked   time.Time
	refused string // why they cannot be bound; empty: they may be
}

// explainClaims distinguishes claims that may still be bound from those that
// cannot be, by reading claims and classes: the scheduler's message does not
// say which it is.
func (w *waiter) explainClaims(tr *tracked) {
	now := time.Now()
	for i, t := range tr.troubles {
		if t.cause != CauseClaim || t.pod == nil || t.harmless {
			continue
		}
		p := w.podNamed(tr, t.pod.Name)
		if p == nil {
			continue
		}
		known := w.claims[p.UID]
		if known == nil {
			known = &podClaims{}
			w.claims[p.UID] = known
		}
		if now.Sub(known.asked) >= refreshAfter {
			known.asked = now
			w.background(func() { w.lookUpClaims(tr.Namespace, p, known) })
		}
		if known.refused != "" {
			tr.troubles[i] = newTrouble(p, nil, CauseClaimRefused, t.reason, known.refused)
		}
	}
}

func (w *waiter) podNamed(tr *tracked, name string) *corev1.Pod {
	if tr.obj == nil {
		return nil
	}
	for _, p := range familyOf(w.spaces[tr.Namespace].view, tr.obj).now {
		if p.Name == name {
			return p
		}
	}
	return nil
}

func (w *waiter) lookUpClaims(namespace string, p *corev1.Pod, known *podClaims) {
	d := Diagnosis{Cause: CauseClaim, Namespace: namespace}
	r := &reader{ctx: w.ctx, o: w.o}
	r.claims(&d, p)
	found := podClaims{asked: time.Now()}
	if d.Cause == CauseClaimRefused {
		found.refused = d.Message
	}
	select {
	case w.notes <- note{learned: func() { *known = found }}:
	case <-w.ctx.Done():
	}
}
