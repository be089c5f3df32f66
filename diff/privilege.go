package diff

import (
	"fmt"
	"slices"
	"strings"
)

// privileges returns what an object that is created may do beyond what most
// objects do, in the words of its fields: what rules of package engine/allow
// look for, so that a reviewer sees it without opening the whole object.
func privileges(kind string, desired map[string]any) []string {
	spec, _ := desired["spec"].(map[string]any)
	out := podPrivileges(podSpec(kind, spec))
	switch kind {
	case "Role", "ClusterRole":
		for _, r := range mappings(desired["rules"]) {
			out = append(out, "grants "+grant(r))
		}
	case "RoleBinding", "ClusterRoleBinding":
		ref, _ := desired["roleRef"].(map[string]any)
		var to []string
		for _, s := range mappings(desired["subjects"]) {
			name := word(s["name"])
			if ns := word(s["namespace"]); ns != "" {
				name = ns + "/" + name
			}
			to = append(to, word(s["kind"])+" "+name)
		}
		out = append(out, fmt.Sprintf("binds %s %s to %s", word(ref["kind"]), word(ref["name"]), shortList(to)))
	case "Service":
		if ips := strs(spec["externalIPs"]); len(ips) > 0 {
			out = append(out, "external IPs "+shortList(ips))
		}
		if name := word(spec["externalName"]); name != "" {
			out = append(out, "external name "+name)
		}
	case "Ingress", "HTTPRoute", "GRPCRoute", "TLSRoute", "Route":
		if hosts := hosts(spec); len(hosts) > 0 {
			out = append(out, "hosts "+shortList(hosts))
		}
	}
	return out
}

func podPrivileges(pod map[string]any) []string {
	var out []string
	for _, field := range []string{"hostNetwork", "hostPID", "hostIPC"} {
		if pod[field] == true {
			out = append(out, field)
		}
	}
	if name := word(pod["serviceAccountName"]); name != "" {
		out = append(out, "service account "+name)
	}
	out = append(out, securityPrivileges("", pod["securityContext"])...)
	for _, v := range mappings(pod["volumes"]) {
		if h, ok := v["hostPath"].(map[string]any); ok {
			out = append(out, "host path "+word(h["path"]))
		}
	}
	for _, list := range []string{"initContainers", "containers", "ephemeralContainers"} {
		for _, c := range mappings(pod[list]) {
			out = append(out, securityPrivileges(word(c["name"]), c["securityContext"])...)
			for _, p := range mappings(c["ports"]) {
				if p["hostPort"] != nil && !scalarEqual(p["hostPort"], int64(0)) {
					out = append(out, fmt.Sprintf("host port %s", flow(p["hostPort"])))
				}
			}
		}
	}
	return out
}

// securityPrivileges are those of the securityContext of a container, or of the
// pod, which has no name here.
func securityPrivileges(container string, v any) []string {
	context, _ := v.(map[string]any)
	var out []string
	say := func(s string) {
		if container != "" {
			s += " (" + container + ")"
		}
		out = append(out, s)
	}
	for _, field := range []string{"privileged", "allowPrivilegeEscalation"} {
		if context[field] == true {
			say(field)
		}
	}
	if user := context["runAsUser"]; user != nil && scalarEqual(user, int64(0)) {
		say("runs as root")
	}
	capabilities, _ := context["capabilities"].(map[string]any)
	if add := strs(capabilities["add"]); len(add) > 0 {
		say("adds capabilities " + shortList(add))
	}
	if t := word(context["procMount"]); t != "" && t != "Default" {
		say("procMount " + t)
	}
	for _, profile := range []string{"seccompProfile", "appArmorProfile"} {
		if p, _ := context[profile].(map[string]any); p["type"] == "Unconfined" {
			say(profile + " Unconfined")
		}
	}
	if windows, _ := context["windowsOptions"].(map[string]any); windows["hostProcess"] == true {
		say("hostProcess")
	}
	for _, s := range mappings(context["sysctls"]) {
		say("sysctl " + word(s["name"]))
	}
	return out
}

// grant is one rule of a Role, such as "get, list on secrets".
func grant(rule map[string]any) string {
	on := strs(rule["resources"])
	for i, g := range strs(rule["apiGroups"]) {
		if i == 0 && g != "" {
			for j := range on {
				on[j] += "." + g
			}
		}
	}
	on = append(on, strs(rule["nonResourceURLs"])...)
	s := shortList(strs(rule["verbs"])) + " on " + shortList(on)
	if names := strs(rule["resourceNames"]); len(names) > 0 {
		s += " named " + shortList(names)
	}
	return s
}

// hosts are those that an Ingress or a route of the Gateway API serves.
func hosts(spec map[string]any) []string {
	out := strs(spec["hostnames"])
	if h := word(spec["host"]); h != "" {
		out = append(out, h)
	}
	for _, r := range mappings(spec["rules"]) {
		if h := word(r["host"]); h != "" {
			out = append(out, h)
		}
	}
	for _, t := range mappings(spec["tls"]) {
		out = append(out, strs(t["hosts"])...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shortList names the first few.
func shortList(list []string) string {
	const most = 5
	if len(list) > most {
		list = append(slices.Clone(list[:most]), "…")
	}
	return strings.Join(list, ", ")
}

func mappings(v any) []map[string]any {
	list, _ := v.([]any)
	var out []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

func strs(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, e := range list {
		out = append(out, word(e))
	}
	return out
}

// word is a string as one line; empty for anything else.
func word(v any) string {
	s, _ := v.(string)
	return oneLine(s)
}
