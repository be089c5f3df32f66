package engine

import (
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// stages put kinds that need each other one after the other; objects of one
// stage go concurrently. Kinds not named come in stageOther. It follows
// Helm's InstallOrder, with kinds that do not need each other drawn together.
var stages = map[string]int{
	"PriorityClass": 0, "Namespace": 0,
	"NetworkPolicy": 1, "ResourceQuota": 1, "LimitRange": 1, "PodSecurityPolicy": 1, "PodDisruptionBudget": 1,
	"ServiceAccount": 1, "Secret": 1, "SecretList": 1, "ConfigMap": 1, "StorageClass": 1, "CustomResourceDefinition": 1,
	"ClusterRole": 1, "Role": 1, "IngressClass": 1, "RuntimeClass": 1,
	"PersistentVolume": 2, "PersistentVolumeClaim": 2, "ClusterRoleBinding": 2, "RoleBinding": 2, "Service": 2,
	"DaemonSet": 3, "Pod": 3, "ReplicationController": 3, "ReplicaSet": 3, "Deployment": 3, "StatefulSet": 3, "Job": 3, "CronJob": 3,
	"HorizontalPodAutoscaler": 4, "Ingress": 4,
	"APIService": 6, "MutatingWebhookConfiguration": 6, "ValidatingWebhookConfiguration": 6,
}

const stageOther = 5

// stageOf is the stage of an object: the kinds above of the API server's own
// groups; all else, custom resources above all, goes after the workloads that
// may serve it.
func stageOf(o diff.Object) int {
	if s, ok := stages[o.Kind]; ok {
		return s
	}
	return stageOther
}

// inApplyOrder sorts by stage, and within a stage as the manifest has it.
func inApplyOrder(objects []render.Object) []render.Object {
	out := slices.Clone(objects)
	slices.SortStableFunc(out, func(a, b render.Object) int {
		return stageOf(diff.ObjectOf(a.Unstructured)) - stageOf(diff.ObjectOf(b.Unstructured))
	})
	return out
}

// byStage cuts a list of items, sorted by stage, at the stages' bounds.
func byStage(items []*item) [][]*item {
	var out [][]*item
	for i, it := range items {
		if i == 0 || stageOf(it.object) != stageOf(items[i-1].object) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], it)
	}
	return out
}
