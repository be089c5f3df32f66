package engine

import (
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// frozen are fields that the API server does not let change, other than except.
type frozen struct{ fields, except []string }

// frozenFields are those of Kubernetes' own kinds, by group and kind, from the
// validation of its API server (ValidateUpdate in pkg/apis). They name the field
// where the API server only says "spec", and are used alone where it cannot be
// asked.
var frozenFields = map[string]frozen{
	"apps/Deployment": {fields: []string{"spec.selector"}},
	"apps/DaemonSet":  {fields: []string{"spec.selector"}},
	"apps/ReplicaSet": {fields: []string{"spec.selector"}},
	"apps/StatefulSet": {fields: []string{"spec"}, except: []string{
		"spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy",
		"spec.revisionHistoryLimit", "spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds",
	}},
	"batch/Job": {fields: []string{
		"spec.template", "spec.selector", "spec.completions", "spec.completionMode", "spec.podFailurePolicy",
		"spec.backoffLimitPerIndex", "spec.managedBy", "spec.successPolicy",
	}},
	"/Service":               {fields: []string{"spec.clusterIP", "spec.clusterIPs", "spec.loadBalancerClass"}},
	"/PersistentVolumeClaim": {fields: []string{"spec"}, except: []string{"spec.resources.requests", "spec.volumeAttributesClassName"}},
	"/PersistentVolume": {fields: []string{"spec"}, except: []string{
		"spec.capacity", "spec.accessModes", "spec.claimRef", "spec.persistentVolumeReclaimPolicy", "spec.storageClassName",
		"spec.mountOptions", "spec.volumeAttributesClassName", "spec.nodeAffinity",
	}},
	"/Pod": {fields: []string{"spec"}, except: []string{
		"spec.containers", "spec.initContainers", "spec.activeDeadlineSeconds", "spec.tolerations", "spec.terminationGracePeriodSeconds",
	}},
	"/Secret":                                       {fields: []string{"type"}},
	"storage.k8s.io/StorageClass":                   {fields: []string{"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"}},
	"storage.k8s.io/CSIDriver":                      {fields: []string{"spec.attachRequired", "spec.volumeLifecycleModes"}},
	"storage.k8s.io/VolumeAttributesClass":          {fields: []string{"driverName", "parameters"}},
	"rbac.authorization.k8s.io/RoleBinding":         {fields: []string{"roleRef"}},
	"rbac.authorization.k8s.io/ClusterRoleBinding":  {fields: []string{"roleRef"}},
	"scheduling.k8s.io/PriorityClass":               {fields: []string{"value", "preemptionPolicy"}},
	"node.k8s.io/RuntimeClass":                      {fields: []string{"handler"}},
	"networking.k8s.io/IngressClass":                {fields: []string{"spec.controller"}},
	"apiextensions.k8s.io/CustomResourceDefinition": {fields: []string{"spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"}},
}

// isFrozen reports whether the kind is known not to let the field change.
func isFrozen(live *unstructured.Unstructured, o diff.Object, path string) bool {
	known := frozenFields[o.Group+"/"+o.Kind]
	fields := known.fields
	if o.Group == "" && (o.Kind == "Secret" || o.Kind == "ConfigMap") {
		if immutable, _, _ := unstructured.NestedBool(live.Object, "immutable"); immutable {
			fields = append(slices.Clone(fields), "immutable", "data", "binaryData", "stringData")
		}
	}
	within := func(list []string) bool {
		return slices.ContainsFunc(list, func(field string) bool { return isWithin(path, field) })
	}
	return within(fields) && !within(known.except) ||
		// A change of a whole map changes what is in it.
		slices.ContainsFunc(fields, func(field string) bool { return isWithin(field, path) })
}

// markImmutable marks the fields that the API server does not let change: those
// that are known, and those that it has reported. It returns a copy of fields,
// and the paths of those that are marked.
func markImmutable(o *object, fields []diff.Field, reported []string) (marked []diff.Field, paths []string) {
	marked = slices.Clone(fields)
	each := func(is func(path string) bool) {
		for i := range marked {
			f := &marked[i]
			if f.Cause != diff.Default && !f.Immutable && is(f.Path) {
				f.Immutable = true
				paths = append(paths, f.Path)
			}
		}
	}
	each(func(path string) bool { return isFrozen(o.live, o.id, path) })
	for _, r := range reported {
		// The API server counts list items, diff names them.
		r = withoutItems(r)
		if slices.ContainsFunc(paths, func(p string) bool { p = withoutItems(p); return isWithin(p, r) || isWithin(r, p) }) {
			continue // marked already, and more precisely
		}
		each(func(path string) bool { path = withoutItems(path); return isWithin(path, r) || isWithin(r, path) })
	}
	slices.Sort(paths)
	return marked, paths
}

var inBrackets = regexp.MustCompile(`\[[^\]]*\]`)

func withoutItems(path string) string { return inBrackets.ReplaceAllString(path, "") }

// stuckFields are fields that the release no longer sets and that the API server
// keeps as they are in an object that exists, although without them it would be
// another one: a headless Service stays headless. merged is nil if it is not known.
func stuckFields(in intended, merged *unstructured.Unstructured) []diff.Field {
	if in.id.Group != "" || in.id.Kind != "Service" || in.base == nil || in.unwritten || merged == nil {
		return nil
	}
	ip := func(u *unstructured.Unstructured) string {
		ip, _, _ := unstructured.NestedString(u.Object, "spec", "clusterIP")
		return ip
	}
	if ip(in.base) != corev1.ClusterIPNone || ip(merged) != corev1.ClusterIPNone || ip(in.body) != "" {
		return nil
	}
	return []diff.Field{{Path: "spec.clusterIP", Base: corev1.ClusterIPNone, Live: corev1.ClusterIPNone, Cause: diff.Removed}}
}
