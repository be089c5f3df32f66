package readiness

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// class is what the wait needs to know of a StorageClass.
type class struct {
	known   bool // the look-up has come back
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
	found := class{known: true}
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
