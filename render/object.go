package render

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// Object is one rendered Kubernetes object. Treat it as read-only: it may be shared.
type Object struct {
	*unstructured.Unstructured        // parsed, never nil
	Source                     string // template path, "web/templates/deployment.yaml"; a file's path for plain manifests
	Text                       string // the YAML text of this document as rendered; of this item, where a List was expanded
}
