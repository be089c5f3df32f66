package readiness

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const logLines = 10

// reader reads what a diagnosis needs beyond what was watched. It never fails:
// what cannot be read is left out.
type reader struct {
	ctx context.Context
	o   Options
}

// warnings reads a namespace's warnings into a view.
func (r *reader) warnings(namespace string, v *view) {
	list, err := r.o.Client.Resource(eventsGVR).Namespace(namespace).List(r.ctx, metav1.ListOptions{FieldSelector: warningsOnly})
	if err == nil {
		v.replace(eventsGVR, list.Items)
	}
}

// list reads all objects of a kind in a namespace into a view.
func (r *reader) list(gvr schema.GroupVersionResource, namespace string, v *view) {
	if list, err := r.o.Client.Resource(gvr).Namespace(namespace).List(r.ctx, metav1.ListOptions{}); err == nil {
		v.replace(gvr, list.Items)
	}
}

// exists reports whether an object exists; known is false when it cannot be
// read. The object itself is not kept.
func (r *reader) exists(gvr schema.GroupVersionResource, namespace, name string) (there, known bool) {
	_, err := r.o.Client.Resource(gvr).Namespace(namespace).Get(r.ctx, name, metav1.GetOptions{})
	return err == nil, err == nil || apierrors.IsNotFound(err)
}

// enrich adds logs, the objects that the cause refers to, and the hint.
func (r *reader) enrich(d *Diagnosis, obj *unstructured.Unstructured) {
	var first *corev1.Pod
	for i := range d.Pods {
		p := &d.Pods[i]
		if i > 0 && p.Cause != d.Cause {
			continue
		}
		if i < 2 {
			r.logs(d.Namespace, p)
		}
		if first == nil {
			if got, err := r.o.Client.Resource(podsGVR).Namespace(d.Namespace).Get(r.ctx, p.Name, metav1.GetOptions{}); err == nil {
				first = typed[corev1.Pod](got)
			}
		}
	}
	var facts []string
	switch d.Cause {
	case CauseImagePull, CauseImageRefused:
		facts = r.pullSecrets(d.Namespace, first, d.Message)
	case CauseClaim, CauseClaimRefused, CauseUnschedulable:
		if isClaim(Target{Kind: d.Kind}) && d.Group == "" && obj != nil {
			facts = r.claim(d, obj)
		} else {
			facts = r.claims(d, first)
		}
	}
	d.Hint = strings.Join(append(facts, hint(d)), "; ")
	d.Hint = strings.Trim(d.Hint, "; ")
}

// crashes reports whether the container exits, and may have logged why.
func crashes(c Cause) bool {
	return c == CauseCrashLoop || c == CauseOutOfMemory || c == CausePodFailed
}

func (r *reader) logs(namespace string, p *PodDiagnosis) {
	if r.o.Logs == nil || p.Container == "" || p.Cause != CauseUnready && !crashes(p.Cause) {
		return
	}
	// The instance that crashed, if another was started since.
	lines, err := r.o.Logs(r.ctx, namespace, p.Name, p.Container, p.Restarts > 0 && p.Cause != CauseUnready, logLines)
	if (err != nil || len(lines) == 0) && p.Restarts > 0 {
		lines, err = r.o.Logs(r.ctx, namespace, p.Name, p.Container, false, logLines)
	}
	if err == nil {
		p.Logs = lines
	}
}

// pullSecrets returns which pull secrets are missing, or that none is named
// although the registry requires authentication.
func (r *reader) pullSecrets(namespace string, p *corev1.Pod, message string) []string {
	if p == nil {
		return nil
	}
	if low := strings.ToLower(message); len(p.Spec.ImagePullSecrets) == 0 {
		for _, word := range []string{"unauthorized", "denied", "authentication", "authorization", "credentials", "forbidden"} {
			if strings.Contains(low, word) {
				return []string{"the pod names no imagePullSecrets, which a private registry needs"}
			}
		}
	}
	var facts []string
	for _, ref := range p.Spec.ImagePullSecrets {
		if there, known := r.exists(secretsGVR, namespace, ref.Name); known && !there {
			facts = append(facts, fmt.Sprintf("create the pull secret %q, which the pod refers to, in namespace %s", ref.Name, namespace))
		}
	}
	return facts
}

// claims reads the claims of a pod that has no node. A claim that cannot be
// bound makes the cause more precise.
func (r *reader) claims(d *Diagnosis, p *corev1.Pod) []string {
	if p == nil {
		return nil
	}
	var facts []string
	for _, vol := range p.Spec.Volumes {
		name := ""
		switch {
		case vol.PersistentVolumeClaim != nil:
			name = vol.PersistentVolumeClaim.ClaimName
		case vol.Ephemeral != nil:
			name = p.Name + "-" + vol.Name
		default:
			continue
		}
		obj, err := r.o.Client.Resource(claimsGVR).Namespace(d.Namespace).Get(r.ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			d.refuseClaim("ClaimNotFound", fmt.Sprintf("claim %q does not exist", name))
			facts = append(facts, fmt.Sprintf("create the claim %q", name))
		case err == nil && text(obj, "status", "phase") != "Bound":
			facts = append(facts, r.claim(d, obj)...)
		}
	}
	return facts
}

// claim returns why one claim is not bound.
func (r *reader) claim(d *Diagnosis, obj *unstructured.Unstructured) []string {
	name := obj.GetName()
	className, named, _ := unstructured.NestedString(obj.Object, "spec", "storageClassName")
	switch {
	case !named:
		d.refuseClaim("NoDefaultClass", fmt.Sprintf("claim %q names no StorageClass and the cluster has no default one", name))
		return []string{"set storageClassName, or mark a StorageClass as the default"}
	case className == "":
		return []string{fmt.Sprintf("claim %q requires an existing volume (storageClassName is empty) and none matches", name)}
	}
	got, err := r.o.Client.Resource(classesGVR).Get(r.ctx, className, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		d.refuseClaim("ClassNotFound", fmt.Sprintf("claim %q names StorageClass %q, which does not exist", name, className))
		return []string{fmt.Sprintf("create StorageClass %q or name another", className)}
	}
	if err != nil {
		return nil
	}
	fact := fmt.Sprintf("claim %q waits for provisioner %q of StorageClass %q", name, text(got, "provisioner"), className)
	list, err := r.o.Client.Resource(eventsGVR).Namespace(d.Namespace).List(r.ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.uid=" + string(obj.GetUID()),
	})
	if err == nil {
		for i := range list.Items {
			e := typed[corev1.Event](&list.Items[i])
			if e == nil {
				continue
			}
			if e.Reason == "ProvisioningFailed" {
				fact += ", which reports: " + oneLine(e.Message)
				break
			}
		}
		silent := !slices.ContainsFunc(list.Items, func(e unstructured.Unstructured) bool {
			reason := text(&e, "reason")
			return reason == "ProvisioningFailed" || reason == "Provisioning"
		})
		if silent {
			fact += ", which has reported nothing: check that it is running"
		}
	}
	return []string{fact}
}

// refuseClaim replaces the scheduler's message by its cause.
func (d *Diagnosis) refuseClaim(reason, message string) {
	if d.Cause == CauseClaim || d.Cause == CauseClaimRefused {
		d.Cause, d.Reason, d.Message = CauseClaimRefused, reason, message
	}
}
