package diff

import (
	"fmt"
	"slices"
	"strings"
)

// digest returns what matters most of an object that is created, in one line:
// the images and replicas of a workload, the ports of a Service, the keys of a
// ConfigMap, and what it may do that a security review looks for. It is read
// from the fields, which contain no secrets.
func digest(ch Change) string {
	desired, err := withoutSecrets(ch)
	if err != nil || desired == nil {
		return ""
	}
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	spec, _ := desired["spec"].(map[string]any)
	if n := spec["replicas"]; n != nil {
		say("replicas %s", flow(n))
	}
	if s, ok := spec["schedule"].(string); ok {
		say("schedule %s", oneLine(s))
	}
	for _, image := range images(podSpec(ch.Object.Kind, spec)) {
		say("image %s", oneLine(image))
	}
	switch ch.Object.Kind {
	case "Service":
		if t, ok := spec["type"].(string); ok {
			say("%s", oneLine(t))
		}
		if s := servicePortsText(spec["ports"]); s != "" {
			say("ports %s", s)
		}
	case "PersistentVolumeClaim":
		if s, ok := (path{{name: "resources"}, {name: "requests"}, {name: "storage"}}).find(spec).(string); ok {
			say("storage %s", oneLine(s))
		}
	case "StorageClass":
		if s, ok := desired["provisioner"].(string); ok {
			say("provisioner %s", oneLine(s))
		}
	case "HorizontalPodAutoscaler":
		say("replicas %s to %s", flow(spec["minReplicas"]), flow(spec["maxReplicas"]))
	}
	parts = append(parts, privileges(ch.Object.Kind, desired)...)
	keys := 0
	var names []string
	for _, field := range []string{"data", "binaryData"} {
		m, _ := desired[field].(map[string]any)
		for _, k := range keysOf(m, nil) {
			if keys++; keys <= 5 {
				names = append(names, oneLine(k))
			}
		}
	}
	if keys > 5 {
		names = append(names, "…")
	}
	if keys > 0 {
		say("%s: %s", plural(keys, "key", "keys"), strings.Join(names, ", "))
	}
	asked := ch
	asked.Fields = slices.DeleteFunc(slices.Clone(ch.Fields), func(f Field) bool { return f.Cause == Default }) // the API server sets these
	for _, unknown := range asked.Unknown() {
		say("%s %s", oneLine(unknown), unknownText)
	}
	return strings.Join(parts, ", ")
}

// withoutSecrets returns the created object, assembled from its fields.
func withoutSecrets(ch Change) (map[string]any, error) {
	fields := make([]Field, len(ch.Fields))
	for i, f := range ch.Fields {
		f.Secret = false
		fields[i] = f
	}
	u, err := Change{Object: ch.Object, Action: Created, Fields: fields}.applyTo(nil)
	if err != nil || u == nil {
		return nil, err
	}
	return u.Object, nil
}

func (p path) find(v any) any {
	for _, s := range p {
		v = s.down(v)
	}
	return v
}

// podSpec returns the spec of the pods that a workload creates.
func podSpec(kind string, spec map[string]any) map[string]any {
	if kind == "Pod" {
		return spec
	}
	if job, ok := (path{{name: "jobTemplate"}, {name: "spec"}}).find(spec).(map[string]any); ok {
		spec = job
	}
	pod, _ := (path{{name: "template"}, {name: "spec"}}).find(spec).(map[string]any)
	return pod
}

func images(pod map[string]any) []string {
	var out []string
	list, _ := pod["containers"].([]any)
	for _, e := range list {
		m, _ := e.(map[string]any)
		switch image := m["image"].(type) {
		case string:
			out = append(out, image)
		case Unknown:
			out = append(out, image.String())
		}
	}
	return out
}

func servicePortsText(v any) string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		m, _ := e.(map[string]any)
		s := ""
		if m["nodePort"] != nil {
			s = flow(m["nodePort"]) + " → "
		}
		s += flow(m["port"])
		if t := m["targetPort"]; t != nil && !scalarEqual(t, m["port"]) {
			s += " → " + flow(t)
		}
		if proto, ok := m["protocol"].(string); ok && proto != "TCP" {
			s += "/" + proto
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}
