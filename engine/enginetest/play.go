package enginetest

import (
	"encoding/base64"
	"encoding/json"
	"reflect"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// play writes the status that the controllers of Kubernetes would: ready at once,
// unless the object is held.
func play(u *unstructured.Unstructured, held bool) {
	gk := u.GroupVersionKind().GroupKind().String()
	generation := u.GetGeneration()
	wanted, found, _ := unstructured.NestedInt64(u.Object, "spec", "replicas")
	if !found {
		wanted = 1
	}
	ready := wanted
	if held {
		ready = 0
	}
	condition := func(kind string, yes bool, reason string) map[string]any {
		status := "False"
		if yes {
			status = "True"
		}
		at := u.GetCreationTimestamp().UTC().Format("2006-01-02T15:04:05Z")
		return map[string]any{"type": kind, "status": status, "reason": reason, "lastTransitionTime": at, "lastUpdateTime": at}
	}
	var status map[string]any
	switch gk {
	case "Deployment.apps":
		status = map[string]any{
			"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": wanted - ready,
			"conditions": []any{condition("Available", !held, "MinimumReplicasAvailable"), condition("Progressing", true, "NewReplicaSetAvailable")},
		}
	case "StatefulSet.apps":
		status = map[string]any{
			"observedGeneration": generation, "replicas": wanted, "updatedReplicas": wanted, "currentReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready,
			"currentRevision": "1", "updateRevision": "1",
		}
	case "ReplicaSet.apps":
		status = map[string]any{"observedGeneration": generation, "replicas": wanted, "fullyLabeledReplicas": wanted, "readyReplicas": ready, "availableReplicas": ready}
	case "DaemonSet.apps":
		status = map[string]any{
			"observedGeneration": generation, "desiredNumberScheduled": int64(1), "currentNumberScheduled": int64(1), "updatedNumberScheduled": int64(1),
			"numberReady": min(ready, 1), "numberAvailable": min(ready, 1), "numberMisscheduled": int64(0),
		}
	case "Job.batch":
		status = map[string]any{"active": int64(1)}
		if !held {
			status = map[string]any{"succeeded": int64(1), "conditions": []any{condition("SuccessCriteriaMet", true, "CompletionsReached"), condition("Complete", true, "CompletionsReached")}}
		}
	case "Pod":
		policy, _, _ := unstructured.NestedString(u.Object, "spec", "restartPolicy")
		switch {
		case held:
			status = map[string]any{"phase": "Pending"}
		case policy == "Never" || policy == "OnFailure":
			status = map[string]any{"phase": "Succeeded", "conditions": []any{condition("Ready", false, "PodCompleted")}}
		default:
			status = map[string]any{"phase": "Running", "conditions": []any{condition("Ready", true, "")}}
		}
	case "PersistentVolumeClaim":
		status = map[string]any{"phase": "Pending"}
		if request, ok, _ := unstructured.NestedMap(u.Object, "spec", "resources", "requests"); ok && !held {
			status = map[string]any{"phase": "Bound", "capacity": request}
		}
	case "Service":
		if kind, _, _ := unstructured.NestedString(u.Object, "spec", "type"); kind == "LoadBalancer" && !held {
			status = map[string]any{"loadBalancer": map[string]any{"ingress": []any{map[string]any{"ip": "198.18.0.1"}}}}
		}
	case "Namespace":
		status = map[string]any{"phase": "Active"}
	case definitions.GroupKind().String():
		status = map[string]any{"conditions": []any{condition("NamesAccepted", true, "NoConflicts"), condition("Established", !held, "InitialNamesAccepted")}}
	default:
		return
	}
	u.Object["status"] = status
}

// normalize does what the API server does with a Secret.
func normalize(u *unstructured.Unstructured) {
	text, ok, _ := unstructured.NestedStringMap(u.Object, "stringData")
	if u.GetKind() != "Secret" || !ok {
		return
	}
	delete(u.Object, "stringData")
	for key, value := range text {
		_ = unstructured.SetNestedField(u.Object, base64.StdEncoding.EncodeToString([]byte(value)), "data", key)
	}
}

// equal compares JSON values, whatever numbers are in Go.
func equal(a, b any) bool {
	if reflect.DeepEqual(a, b) {
		return true
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// metadataOnly is an object as the metadata client reads it.
func metadataOnly(u *unstructured.Unstructured) map[string]any {
	return map[string]any{"apiVersion": metav1.SchemeGroupVersion.String(), "kind": "PartialObjectMetadata", "metadata": u.Object["metadata"]}
}
