package diff

import (
	"slices"
	"strings"
)

// Builtin returns the schema of the kinds of Kubernetes itself: containers are
// merged by name, container ports by number and protocol, resources compared as
// quantities, and so on. It applies to custom resources as well, as far as they
// embed such fields under the same names; a list whose items lack the keys, or
// repeat them, is compared as a whole.
func Builtin() Schema { return builtin{} }

type builtin struct{}

var (
	byName   = Node{Keys: []string{"name"}}
	byType   = Node{Keys: []string{"type"}}
	set      = Node{Set: true}
	free     = Node{Free: true}
	quantity = Node{Quantity: true}

	containerPorts = Node{Keys: []string{"containerPort", "protocol"}, Defaults: keyDefaults}
	servicePorts   = Node{Keys: []string{"port", "protocol"}, Defaults: keyDefaults}
)

// keyDefaults are the defaults of list keys in the built-in kinds.
var keyDefaults = map[string]any{"protocol": "TCP"}

func (builtin) Node(o Object, path []string) Node {
	if len(path) == 0 {
		return Node{}
	}
	name := path[len(path)-1]
	parent := ""
	if len(path) > 1 {
		parent = path[len(path)-2]
	}
	inItemOf := "" // the list whose item the value is a field of
	if parent == "[]" && len(path) > 2 {
		inItemOf = path[len(path)-3]
	}
	if n, ok := keyedList(o, len(path), name, parent, inItemOf); ok {
		return n
	}
	if isSet(o, name, parent) {
		return set
	}
	if n, ok := mapNode(o, name, parent); ok {
		return n
	}
	if isQuantity(o, name, parent) {
		return quantity
	}
	return Node{}
}

// keyedList returns the node of a list that is merged by key, at a path of the
// given depth.
func keyedList(o Object, depth int, name, parent, inItemOf string) (Node, bool) {
	switch name {
	case "containers", "initContainers", "ephemeralContainers":
		if parent == "spec" {
			return byName, true
		}
	case "ports":
		switch {
		case isContainers(inItemOf):
			return containerPorts, true
		case parent == "spec" && (o.Kind == "Service" || o.Group != ""):
			return servicePorts, true
		}
	case "env":
		if isContainers(inItemOf) {
			return byName, true
		}
	case "volumeMounts":
		return Node{Keys: []string{"mountPath"}}, true
	case "volumeDevices":
		return Node{Keys: []string{"devicePath"}}, true
	case "volumes", "schedulingGates", "resourceClaims", "evictionResponders":
		if parent == "spec" || parent == "scheduling" {
			return byName, true
		}
	case "drivers":
		if o.Kind == "CSINode" {
			return byName, true
		}
	case "claims":
		if parent == "resources" {
			return byName, true
		}
	case "imagePullSecrets":
		if parent == "spec" {
			return byName, true
		}
	case "secrets":
		if o.Kind == "ServiceAccount" && depth == 1 {
			return byName, true
		}
	case "hostAliases":
		return Node{Keys: []string{"ip"}}, true
	case "topologySpreadConstraints":
		return Node{Keys: []string{"topologyKey", "whenUnsatisfiable"}}, true
	case "webhooks":
		return byName, true
	case "validations", "variables":
		if strings.HasPrefix(o.Kind, "ValidatingAdmissionPolicy") && name == "variables" {
			return byName, true
		}
	case "matchConditions":
		return byName, true
	case "conditions":
		return byType, true
	case "ownerReferences":
		if parent == "metadata" {
			return Node{Keys: []string{"uid"}}, true
		}
	}
	return Node{}, false
}

// isSet reports whether a list of scalars is merged by value.
func isSet(o Object, name, parent string) bool {
	switch name {
	case "finalizers":
		if parent == "metadata" {
			return true
		}
	case "bindMountOptions", "volumeLifecycleModes", "validationActions", "skipNodeOperations",
		"podCIDRs", "disableResizePreemption":
		return true
	case "values":
		if parent == "exitCodes" || parent == "onExitCodes" {
			return true
		}
	case "verbs", "apiGroups", "resources", "namespaces", "nonResourceURLs":
		if o.Kind == "FlowSchema" {
			return true
		}
	case "addresses":
		if o.Kind == "EndpointSlice" {
			return true
		}
	}
	return false
}

// mapNode returns the node of a map with free keys, or one that is replaced as a
// whole.
func mapNode(o Object, name, parent string) (Node, bool) {
	switch name {
	case "labels", "annotations":
		return free, true
	case "selector":
		if o.Kind == "Service" || o.Kind == "ReplicationController" {
			return Node{Free: true, Atomic: true}, true
		}
		return Node{Atomic: parent == "spec" && workload(o)}, true
	case "nodeSelector":
		return Node{Free: true, Atomic: true}, true
	case "data", "binaryData", "stringData", "matchLabels", "parameters", "overhead",
		"limits", "requests", "capacity", "allocatable", "hard":
		return free, true
	}
	return Node{}, false
}

// isQuantity reports whether a scalar is a resource quantity.
func isQuantity(o Object, name, parent string) bool {
	switch name {
	case "storage", "sizeLimit", "divisor", "averageValue", "storageLimit":
		return true
	}
	switch parent {
	case "limits", "requests", "capacity", "allocatable", "hard", "overhead",
		"defaultRequest", "maxLimitRequestRatio":
		return true
	case "min", "max", "default":
		if o.Kind == "LimitRange" {
			return true
		}
	case "target":
		if name == "value" && o.Kind == "HorizontalPodAutoscaler" {
			return true
		}
	}
	return false
}

func isContainers(name string) bool {
	return name == "containers" || name == "initContainers" || name == "ephemeralContainers"
}

func workload(o Object) bool {
	return slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job"}, o.Kind)
}

// IsBuiltinGroup reports whether the API server itself serves the group, and
// not a custom resource definition or an extension API server. Built-in kinds
// drop empty lists and maps, custom resources keep them.
func IsBuiltinGroup(group string) bool {
	switch group {
	case "", "apps", "autoscaling", "batch", "extensions", "policy",
		"admissionregistration.k8s.io", "apiextensions.k8s.io", "apiregistration.k8s.io",
		"authentication.k8s.io", "authorization.k8s.io", "certificates.k8s.io",
		"coordination.k8s.io", "discovery.k8s.io", "events.k8s.io",
		"flowcontrol.apiserver.k8s.io", "internal.apiserver.k8s.io", "networking.k8s.io",
		"node.k8s.io", "rbac.authorization.k8s.io", "resource.k8s.io", "scheduling.k8s.io",
		"storage.k8s.io", "storagemigration.k8s.io":
		return true
	}
	return false
}
