package readiness

import (
	"cmp"
	"fmt"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// builtinRules is read only. Kinds of Kubernetes that are missing here are
// ready once they exist.
var builtinRules = map[schema.GroupKind]func(*unstructured.Unstructured) Status{
	{Group: "apps", Kind: "Deployment"}:  deployment,
	{Group: "apps", Kind: "StatefulSet"}: statefulSet,
	{Group: "apps", Kind: "DaemonSet"}:   daemonSet,
	{Group: "apps", Kind: "ReplicaSet"}:  replicaSet,
	{Kind: "ReplicationController"}:      replicaSet,
	{Group: "batch", Kind: "Job"}:        job,
	{Kind: "Pod"}:                        pod,
	{Kind: "PersistentVolumeClaim"}:      claim,
	{Kind: "PersistentVolume"}:           volume,
	serviceKind:                          service,
	{Kind: "Namespace"}:                  namespace,
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: definition,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:             apiService,
}

var serviceKind = schema.GroupKind{Kind: "Service"}

// claim is ready when bound. The object alone does not show whether a pending
// claim waits for its first consumer; the wait reads the class for that.
func claim(obj *unstructured.Unstructured) Status {
	var st Status
	switch phase := text(obj, "status", "phase"); phase {
	case "Bound":
		return st.ready("Bound", "bound to volume "+text(obj, "spec", "volumeName"))
	case "Lost":
		return st.failed("Lost", fmt.Sprintf("its volume %s is gone", text(obj, "spec", "volumeName")))
	default:
		return st.progressing("Unbound", "no volume is bound yet")
	}
}

func volume(obj *unstructured.Unstructured) Status {
	var st Status
	switch phase := text(obj, "status", "phase"); phase {
	case "Available", "Bound", "Released":
		return st.ready(phase, "")
	case "Failed":
		return st.failed("Failed", cmp.Or(text(obj, "status", "message"), "its reclamation has failed"))
	default:
		return st.progressing(cmp.Or(phase, "Pending"), "it is not available yet")
	}
}

// service is ready at once, except for a LoadBalancer without an address.
func service(obj *unstructured.Unstructured) Status {
	var st Status
	if text(obj, "spec", "type") != "LoadBalancer" {
		return st.ready("Exists", "")
	}
	for _, in := range items(obj, "status", "loadBalancer", "ingress") {
		m, _ := in.(map[string]any)
		for _, field := range []string{"ip", "hostname"} {
			if address, _ := m[field].(string); address != "" {
				return st.ready("AddressAssigned", "its address is "+address)
			}
		}
	}
	if len(items(obj, "spec", "externalIPs")) > 0 {
		return st.ready("ExternalIPs", "it is served by its external IPs")
	}
	return st.progressing("NoAddress", "the load balancer has no address yet")
}

func namespace(obj *unstructured.Unstructured) Status {
	var st Status
	switch text(obj, "status", "phase") {
	case "Active":
		return st.ready("Active", "")
	case "Terminating":
		return st.failed("Terminating", "the namespace is being deleted")
	}
	return st.progressing("Pending", "the namespace is not active yet")
}

func definition(obj *unstructured.Unstructured) Status {
	var st Status
	if c, ok := conditionOf(obj, "NamesAccepted"); ok && c.isFalse() {
		return st.failed(cmp.Or(c.Reason, "NamesNotAccepted"), c.Message)
	}
	c, ok := conditionOf(obj, "Established")
	switch {
	case ok && c.isTrue():
		return st.ready("Established", "")
	case ok && c.isFalse() && c.Reason != "Installing" && c.Reason != "NotAccepted":
		return st.failed(cmp.Or(c.Reason, "NotEstablished"), c.Message)
	}
	return st.progressing("Installing", "its API is not served yet")
}

func apiService(obj *unstructured.Unstructured) Status {
	var st Status
	c, ok := conditionOf(obj, "Available")
	if ok && c.isTrue() {
		return st.ready("Available", "")
	}
	return st.progressing(cmp.Or(c.Reason, "Unavailable"), "%s", cmp.Or(c.Message, "its server does not respond yet"))
}

// reasonNoStatus: a custom resource has no status by which to judge it.
const reasonNoStatus = "NoStatus"

// customResource follows kstatus (Ready, Reconciling and Stalled conditions),
// but returns Unknown where kstatus treats a missing status as ready.
func customResource(obj *unstructured.Unstructured) Status {
	var st Status
	res, err := status.Compute(obj)
	if err != nil {
		return Status{State: Unknown, Reason: "Unreadable", Message: fmt.Sprintf("its status cannot be read: %v", err)}
	}
	reason := ""
	for _, c := range res.Conditions {
		reason = cmp.Or(reason, c.Reason)
	}
	switch res.Status {
	case status.FailedStatus:
		return st.failed(cmp.Or(reason, "Stalled"), res.Message)
	case status.InProgressStatus:
		return st.progressing(cmp.Or(reason, "Reconciling"), "%s", res.Message)
	}
	if c, ok := conditionOf(obj, "Ready"); ok && c.isTrue() {
		return st.ready(cmp.Or(c.Reason, "Ready"), c.Message)
	}
	// Available is the second most common condition for it; kstatus ignores it.
	if c, ok := conditionOf(obj, "Available"); ok {
		if c.isTrue() {
			return st.ready(cmp.Or(c.Reason, "Available"), c.Message)
		}
		return st.progressing(cmp.Or(c.Reason, "Unavailable"), "%s", c.Message)
	}
	if observed(obj) {
		return st.ready("Observed", "its controller has observed it and reports no problem")
	}
	return Status{State: Unknown, Reason: reasonNoStatus, Message: "its readiness is unknown: no Ready condition and no observed generation"}
}
