package readiness

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// askAgain is how long an answer about a class or a pod's claims holds. They
// are read and not watched: few waits need them, and fewer for long.
const askAgain = 2 * time.Second

// class is what the wait needs to know of a StorageClass.
type class struct {
	asked   time.Time
	missing bool
	lazy    bool // binds when a pod uses the claim
	denied  bool // it may not be read
}

func isClaim(t Target) bool {
	return t.GVR.Group == "" && t.Kind == "PersistentVolumeClaim"
}

// claimStatus judges a pending claim by its class: one that waits for its
// first consumer, and has none, is as ready as it can be.
func (w *waiter) claimStatus(obj *unstructured.Unstructured, st Status) Status {
	name := text(obj, "spec", "storageClassName")
	if name == "" {
		return st
	}
	if obj.GetAnnotations()["volume.kubernetes.io/selected-node"] != "" {
		return st // it has a consumer, and a volume on the way
	}
	c := w.classes[name]
	if c == nil {
		c = &class{}
		w.classes[name] = c
	}
	if now := time.Now(); now.Sub(c.asked) >= askAgain {
		c.asked = now
		w.group.Go(func() { w.lookUpClass(name, c) })
	}
	switch {
	case c.lazy:
		return st.ready("WaitForFirstConsumer", "a volume is bound to it when a pod uses it")
	case c.denied:
		st.State, st.Reason = Unknown, "ClassUnreadable"
		st.Message = fmt.Sprintf("it is pending, and whether its StorageClass %q waits for a consumer cannot be read", name)
	}
	return st
}

func (w *waiter) lookUpClass(name string, c *class) {
	obj, err := w.o.Client.Resource(classesGVR).Get(w.ctx, name, metav1.GetOptions{})
	found := class{asked: time.Now()}
	switch {
	case apierrors.IsNotFound(err):
		found.missing = true
	case err != nil:
		found.denied = true
	default:
		found.lazy = text(obj, "volumeBindingMode") == "WaitForFirstConsumer"
	}
	select {
	case w.notes <- note{learned: func() { *c = found }}:
	case <-w.ctx.Done():
	}
}

// claimTroubles is what is wrong with a claim that is a target itself.
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
	message := "no volume is bound to it"
	if !named {
		message = "it names no StorageClass and the cluster has set no default one"
	} else if name != "" {
		message = fmt.Sprintf("no volume is bound to it; the provisioner of StorageClass %q has not answered yet", name)
	}
	return []trouble{{key: "claim", cause: CauseClaim, reason: "Unbound", message: message}}
}

// podClaims is what was found out about the claims of a pod without a node.
type podClaims struct {
	asked   time.Time
	refused string // why they can never be bound; empty: they may
}

// explainClaims tells claims that may yet be bound from those that cannot, by
// the claims and classes themselves: the scheduler's message does not say.
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
		if now.Sub(known.asked) >= askAgain {
			known.asked = now
			w.group.Go(func() { w.lookUpClaims(tr.Namespace, p, known) })
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
