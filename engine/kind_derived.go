package engine

import (
	"cmp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"github.com/fairlead-dev/fairlead/diff"
)

// derived is a field that the API server fills from other fields of the object
// where it is left out. It does so only while the field is empty, so that the
// value stays when what it came from changes.
type derived struct {
	path  fieldpath.Path
	value any // nil: absent
	// sure: the API server itself makes it follow.
	sure bool
	// weak: what the manifest asks for becomes live only if it follows, because
	// the field is the stronger of two names for the same.
	weak bool
}

// derivedFields are the derived fields of an object as it is written in a
// manifest, with the values that the API server gives them when it creates the
// object, or those that the manifest gives them. The list follows the defaults of
// the API server that depend on other fields, but for those of Jobs and Pods,
// which cannot change, and for those that the API server itself corrects.
func derivedFields(o *unstructured.Unstructured) []derived {
	switch o.GroupVersionKind().GroupKind().String() {
	case "NetworkPolicy.networking.k8s.io":
		return []derived{derivedPolicyTypes(o.Object)}
	case "Service":
		return derivedFamilies(o.Object)
	case "CronJob.batch":
		return derivedOfPods(o.Object, "spec", "jobTemplate", "spec", "template", "spec")
	case "PodTemplate":
		return derivedOfPods(o.Object, "template", "spec")
	case "Deployment.apps", "StatefulSet.apps", "ReplicaSet.apps":
		return derivedOfPods(o.Object, "spec", "template", "spec")
	case "DaemonSet.apps":
		return append(derivedOfPods(o.Object, "spec", "template", "spec"), derivedRollingUpdate(o.Object))
	case "ReplicationController":
		return append(derivedOfPods(o.Object, "spec", "template", "spec"), derivedSelector(o.Object))
	}
	return nil
}

// derivedPolicyTypes are what a NetworkPolicy governs: ingress, and egress if it
// has rules for that.
func derivedPolicyTypes(o map[string]any) derived {
	d := derived{path: pathOf("spec", "policyTypes")}
	if explicit, _ := valueAt(o, d.path).([]any); len(explicit) > 0 {
		d.value = explicit
		return d
	}
	types := []any{"Ingress"}
	if egress, _ := valueAt(o, pathOf("spec", "egress")).([]any); len(egress) > 0 {
		types = append(types, "Egress")
	}
	d.value = types
	return d
}

// derivedFamilies is the policy about IP families of a Service, which the API
// server keeps when it leaves the manifest. That of a headless one without
// a selector depends on the cluster.
func derivedFamilies(o map[string]any) []derived {
	d := derived{path: pathOf("spec", "ipFamilyPolicy"), value: "SingleStack"}
	spec, _ := o["spec"].(map[string]any)
	selector, _ := spec["selector"].(map[string]any)
	switch explicit := spec["ipFamilyPolicy"]; {
	case explicit != nil:
		d.value = explicit
	case spec["type"] == "ExternalName", spec["clusterIP"] == "None" && len(selector) == 0:
		return nil
	}
	return []derived{d}
}

// derivedRollingUpdate are the parameters of a DaemonSet's rolling update, which
// it has without them as long as it has this strategy.
func derivedRollingUpdate(o map[string]any) derived {
	d := derived{path: pathOf("spec", "updateStrategy", "rollingUpdate")}
	strategy, _ := valueAt(o, pathOf("spec", "updateStrategy")).(map[string]any)
	explicit, _ := strategy["rollingUpdate"].(map[string]any)
	if t := strategy["type"]; t != nil && t != "" && t != "RollingUpdate" {
		if explicit != nil {
			d.value = explicit
		}
		return d
	}
	value := map[string]any{"maxUnavailable": int64(1), "maxSurge": int64(0)}
	for key, v := range explicit {
		value[key] = v
	}
	d.value = value
	return d
}

// derivedSelector is the selector of a ReplicationController: without one, the
// labels of its pods.
func derivedSelector(o map[string]any) derived {
	d := derived{path: pathOf("spec", "selector")}
	if d.value = valueAt(o, d.path); d.value == nil {
		d.value = valueAt(o, pathOf("spec", "template", "metadata", "labels"))
	}
	return d
}

// derivedOfPods are the derived fields of a pod template.
func derivedOfPods(o map[string]any, at ...string) []derived {
	path := pathOf(at...)
	pod, _ := valueAt(o, path).(map[string]any)
	out := derivedAccounts(path, pod)
	for _, list := range []string{"initContainers", "containers"} {
		items, _ := pod[list].([]any)
		for _, item := range items {
			if c, _ := item.(map[string]any); nameOf(c) != "" && c["image"] != nil {
				at := pathBelow(path, pathOf(list)[0], itemNamed(nameOf(c)), pathOf("imagePullPolicy")[0])
				out = append(out, derived{path: at, value: pullPolicy(c["imagePullPolicy"], c["image"])})
			}
		}
	}
	volumes, _ := pod["volumes"].([]any)
	for _, item := range volumes {
		v, _ := item.(map[string]any)
		if image, _ := v["image"].(map[string]any); nameOf(v) != "" && image["reference"] != nil {
			at := pathBelow(path, append([]fieldpath.PathElement{pathOf("volumes")[0], itemNamed(nameOf(v))}, pathOf("image", "pullPolicy")...)...)
			out = append(out, derived{path: at, value: pullPolicy(image["pullPolicy"], image["reference"])})
		}
	}
	return out
}

// derivedAccounts are the two names of a pod's service account, of which
// serviceAccountName decides, and serviceAccount is deprecated.
func derivedAccounts(path fieldpath.Path, pod map[string]any) []derived {
	name, _ := pod["serviceAccountName"].(string)
	deprecated, _ := pod["serviceAccount"].(string)
	d := derived{sure: name != "", weak: name == "" && deprecated != ""}
	if account := cmp.Or(name, deprecated); account != "" {
		d.value = account
	}
	var out []derived
	for _, field := range []string{"serviceAccount", "serviceAccountName"} {
		d.path = pathBelow(path, pathOf(field)...)
		out = append(out, d)
	}
	return out
}

// pullPolicy is when an image is pulled: always, if its tag is the latest.
func pullPolicy(explicit, image any) any {
	if explicit != nil && explicit != "" {
		return explicit
	}
	name, _ := image.(string)
	name, _, digest := strings.Cut(name, "@")
	_, tag, tagged := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	if tag == "latest" || !tagged && !digest {
		return "Always"
	}
	return "IfNotPresent"
}

// withDerived returns what the object should be instead of merged, because
// derived fields stay as they followed from what the release applied before, and
// the paths of these. What the manifest itself sets and what belongs to other
// managers stays.
func (j *judge) withDerived(in intended, merged *unstructured.Unstructured) (to *unstructured.Unstructured, paths []string) {
	if to = merged; in.base == nil || in.unwritten {
		return to, nil
	}
	before := derivedFields(in.base)
	for _, d := range derivedFields(in.body) {
		at := slices.IndexFunc(before, func(b derived) bool { return b.path.Equals(d.path) })
		if at < 0 || jsonEqual(valueAt(merged.Object, d.path), d.value) || !j.outdated(in, merged, before[at], d) {
			continue
		}
		if to == merged {
			to = merged.DeepCopy()
		}
		if putAt(to.Object, d.path, runtime.DeepCopyJSONValue(d.value)) {
			paths = append(paths, diff.FormatPath(d.path))
		}
	}
	return to, paths
}

// outdated reports whether a derived field, which merged has with another value,
// has followed from what the release applied before, and follows no longer; or
// whether it would keep what the manifest asks for under its other name from
// becoming live.
func (j *judge) outdated(in intended, merged *unstructured.Unstructured, before, now derived) bool {
	if now.weak || now.sure {
		return now.weak
	}
	is := valueAt(merged.Object, now.path)
	return valueAt(in.body.Object, now.path) == nil && !jsonEqual(before.value, now.value) &&
		jsonEqual(is, before.value) && jsonEqual(is, valueAt(in.live.Object, now.path)) && len(j.othersAt(in.live, now.path)) == 0
}
