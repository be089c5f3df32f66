package allow

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/engine"
)

// hostFields are the fields with the names of hosts, by "group/Kind". A list is
// followed into its items.
var hostFields = map[string][][]string{
	"networking.k8s.io/Ingress":           {{"spec", "rules", "host"}, {"spec", "tls", "hosts"}},
	"extensions/Ingress":                  {{"spec", "rules", "host"}, {"spec", "tls", "hosts"}},
	"gateway.networking.k8s.io/HTTPRoute": {{"spec", "hostnames"}},
	"gateway.networking.k8s.io/GRPCRoute": {{"spec", "hostnames"}},
	"gateway.networking.k8s.io/TLSRoute":  {{"spec", "hostnames"}},
	"gateway.networking.k8s.io/Gateway":   {{"spec", "listeners", "hostname"}},
	"route.openshift.io/Route":            {{"spec", "host"}},
}

// required are the lists of which each item must have a host: without one it
// stands for every host.
var required = map[string]struct {
	list []string
	host string
}{
	"networking.k8s.io/Ingress":         {[]string{"spec", "rules"}, "host"},
	"extensions/Ingress":                {[]string{"spec", "rules"}, "host"},
	"gateway.networking.k8s.io/Gateway": {[]string{"spec", "listeners"}, "hostname"},
}

// hostAnnotations are annotations with names of hosts, with commas between them,
// that count for objects of any kind.
var hostAnnotations = []string{
	"external-dns.alpha.kubernetes.io/hostname",
	"external-dns.alpha.kubernetes.io/internal-hostname",
	"nginx.ingress.kubernetes.io/server-alias",
}

// Hosts blocks an Ingress, a Route, and a Gateway or route of the Gateway API
// for hosts that no pattern matches, and annotations of ExternalDNS and
// ingress-nginx that add such hosts, on objects of any kind. "*.example.com" is
// every name below example.com, at any depth, and itself not; any other pattern
// is one host. An object without a host stands for all of them, and is blocked.
// What other controllers read from annotations or custom resources it does not
// know.
func Hosts(patterns ...string) Rule {
	patterns = lower(patterns)
	return func(a engine.Access) error {
		if a.Desired == nil {
			return nil
		}
		if err := judgeAnnotations(patterns, a.Desired); err != nil {
			return err
		}
		kind := a.Object.Group + "/" + a.Object.Kind
		fields := hostFields[kind]
		if fields == nil {
			return nil
		}
		seen := 0
		for _, field := range fields {
			hosts, err := valuesAt(a.Desired.Object, field)
			if err != nil {
				return fmt.Errorf("%s: %w", strings.Join(field, "."), err)
			}
			for _, h := range hosts {
				seen++
				if !matches(patterns, h) {
					return fmt.Errorf("host %q is not one of %s", h, strings.Join(patterns, ", "))
				}
			}
		}
		if each, ok := required[kind]; ok {
			items, _, err := unstructured.NestedSlice(a.Desired.Object, each.list...)
			if err != nil {
				return fmt.Errorf("%s is no list", strings.Join(each.list, "."))
			}
			for i, item := range items {
				if item, _ := item.(map[string]any); item[each.host] == nil || item[each.host] == "" {
					return fmt.Errorf("%s[%d] has no %s, which stands for all hosts", strings.Join(each.list, "."), i, each.host)
				}
			}
		}
		if backend, _, _ := unstructured.NestedFieldNoCopy(a.Desired.Object, "spec", "defaultBackend"); backend != nil {
			return errors.New("spec.defaultBackend stands for all hosts")
		}
		if seen == 0 {
			return errors.New("it has no host, which stands for all hosts")
		}
		return nil
	}
}

func judgeAnnotations(patterns []string, u *unstructured.Unstructured) error {
	annotations, _, err := unstructured.NestedMap(u.Object, "metadata", "annotations")
	if err != nil {
		return errors.New("metadata.annotations is no mapping")
	}
	for _, name := range hostAnnotations {
		text, ok := annotations[name].(string)
		if !ok && annotations[name] != nil {
			return fmt.Errorf("annotation %s is no text", name)
		}
		for host := range strings.SplitSeq(text, ",") {
			if host = strings.TrimSpace(host); host != "" && !matches(patterns, host) {
				return fmt.Errorf("host %q of annotation %s is not one of %s", host, name, strings.Join(patterns, ", "))
			}
		}
	}
	return nil
}

func lower(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

// matches reports whether a host is allowed. A host that is a pattern itself
// needs one that has all its names.
func matches(patterns []string, host string) bool {
	host = strings.ToLower(host)
	for _, p := range patterns {
		if host == p {
			return true
		}
		if below, ok := strings.CutPrefix(p, "*"); ok && strings.HasPrefix(below, ".") && strings.HasSuffix(host, below) && len(host) > len(below) {
			return true
		}
	}
	return false
}

// valuesAt are the strings at a path.
func valuesAt(v any, path []string) ([]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []any:
		var out []string
		for _, item := range v {
			more, err := valuesAt(item, path)
			if err != nil {
				return nil, err
			}
			out = append(out, more...)
		}
		return out, nil
	case map[string]any:
		if len(path) > 0 {
			return valuesAt(v[path[0]], path[1:])
		}
	case string:
		if len(path) == 0 {
			return []string{v}, nil
		}
	}
	return nil, fmt.Errorf("it has a %T where none belongs", v)
}
