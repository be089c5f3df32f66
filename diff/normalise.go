package diff

import (
	"encoding/base64"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serverMeta are the fields of metadata that the API server writes, and those
// that are an object's identity.
var serverMeta = []string{
	"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
	"deletionTimestamp", "deletionGracePeriodSeconds",
	"name", "namespace", "generateName",
}

// serverAnnotations are written by controllers of Kubernetes at every change, or
// are the status of an object in a version that has no fields for it.
var serverAnnotations = []string{
	"deployment.kubernetes.io/revision",
	"deprecated.daemonset.template.generation",
	"autoscaling.alpha.kubernetes.io/conditions", // in autoscaling/v1
	"autoscaling.alpha.kubernetes.io/current-metrics",
}

// state returns a plain copy of u without its identity, the fields that the
// server writes, and values that equal absent ones; nil if u is nil.
func (c *comparer) state(u *unstructured.Unstructured) (map[string]any, error) {
	if u == nil {
		return nil, nil
	}
	// Status and managedFields can be most of an object: leave them out
	// before copying.
	top := make(map[string]any, len(u.Object))
	for k, v := range u.Object {
		switch k {
		case "apiVersion", "kind", "status":
		case "metadata":
			meta, ok := v.(map[string]any)
			if !ok {
				top[k] = v
				continue
			}
			m := make(map[string]any, len(meta))
			for k, v := range meta {
				m[k] = v
			}
			for _, k := range serverMeta {
				delete(m, k)
			}
			top[k] = m
		default:
			top[k] = v
		}
	}
	v, err := plain(top)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ObjectOf(u), err)
	}
	s := v.(map[string]any)
	meta, _ := s["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	for _, k := range serverAnnotations {
		delete(annotations, k)
	}
	if c.obj.Group == "" {
		canonicalData(c.obj, s)
	}
	c.dropEmpty(s)
	if meta, ok := s["metadata"].(map[string]any); ok && len(meta) == 0 {
		delete(s, "metadata")
	}
	return s, nil
}

// canonicalData converts the base64 fields of core objects to the form that the
// API server returns, and a Secret's stringData to data.
func canonicalData(o Object, s map[string]any) {
	field := ""
	switch o.Kind {
	case "Secret":
		field = "data"
	case "ConfigMap":
		field = "binaryData"
	default:
		return
	}
	data, _ := s[field].(map[string]any)
	for k, v := range data {
		if t, ok := v.(string); ok {
			if raw, err := base64.StdEncoding.DecodeString(t); err == nil {
				data[k] = base64.StdEncoding.EncodeToString(raw)
			}
		}
	}
	text, _ := s["stringData"].(map[string]any)
	if o.Kind != "Secret" || len(text) == 0 {
		return
	}
	if data == nil {
		data = map[string]any{}
		s[field] = data
	}
	for k, v := range text {
		if t, ok := v.(string); ok {
			data[k] = base64.StdEncoding.EncodeToString([]byte(t))
			delete(text, k)
		}
	}
}

// dropEmpty removes the empty lists and free maps that the API server drops.
func (c *comparer) dropEmpty(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			c.enter(step{kind: stepField, name: k})
			c.dropEmpty(e)
			switch e := e.(type) {
			case map[string]any:
				if len(e) == 0 && (c.native || c.inMeta()) && c.node().Free {
					delete(v, k)
				}
			case []any:
				if len(e) == 0 && (c.native || c.inMeta()) {
					delete(v, k)
				}
			}
			c.leave()
		}
	case []any:
		for i, e := range v {
			c.enter(step{kind: stepIndex, index: i})
			c.dropEmpty(e)
			c.leave()
		}
	}
}

// inMeta reports whether c is in the object's own metadata, which the API server
// treats alike for all kinds.
func (c *comparer) inMeta() bool { return len(c.names) > 1 && c.names[0] == "metadata" }
