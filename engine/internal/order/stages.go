// Package order knows what the objects of a release are put in order by: the
// stages of their kinds, and the annotations with which a chart asks for more.
// It knows no cluster; internal/graph makes a schedule of it.
package order

import "slices"

// stages put kinds that need each other one after the other; objects of one
// stage go concurrently. Kinds not named come in stageOther. It follows Helm's
// InstallOrder, with kinds that do not need each other merged.
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

// Stage returns the stage of a kind. Kinds that are not Kubernetes' own, custom
// resources above all, come after the workloads that may serve them.
func Stage(kind string) int {
	if s, ok := stages[kind]; ok {
		return s
	}
	return stageOther
}

// Sort returns a copy of list sorted by stage, and within a stage as list has
// it.
func Sort[T any](list []T, kind func(T) string) []T {
	out := slices.Clone(list)
	slices.SortStableFunc(out, func(a, b T) int { return Stage(kind(a)) - Stage(kind(b)) })
	return out
}

// Stages cuts a list that is sorted by stage, in either direction, where the
// stage changes.
func Stages[T any](list []T, stage func(T) int) [][]T {
	var out [][]T
	for i, x := range list {
		if i == 0 || stage(x) != stage(list[i-1]) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], x)
	}
	return out
}
