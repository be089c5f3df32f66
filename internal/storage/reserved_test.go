package storage

import (
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

func TestReserved(t *testing.T) {
	for text, want := range map[string]bool{
		"{apiVersion: v1, kind: Secret, type: helm.sh/release.v1, metadata: {name: x}}":                                         true,
		"{apiVersion: v1, kind: Secret, type: fairlead.dev/release-part.v1, metadata: {name: x}}":                               true,
		"{apiVersion: v1, kind: Secret, metadata: {name: sh.helm.release.v1.shop.v3}}":                                          true,
		"{apiVersion: v1, kind: Secret, metadata: {name: sh.helm.release.v1.shop.v3.0123456789abcdef.1}, type: Opaque}":         true,
		"{apiVersion: v1, kind: Secret, metadata: {generateName: sh.helm.release.v1.shop.v}}":                                   true,
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: sh.helm.release.v1.shop.v3}}":                                       true,
		"{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: fairlead-shop}}":                                    true,
		"{apiVersion: coordination.k8s.io/v1beta1, kind: Lease, metadata: {generateName: fairlead-}}":                           true,
		"{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: shop-leader}}":                                      false,
		"{apiVersion: v1, kind: Secret, type: Opaque, metadata: {name: shop}}":                                                  false,
		"{apiVersion: v1, kind: Secret, type: [helm.sh/release.v1], metadata: {name: shop}}":                                    false,
		"{apiVersion: example.com/v1, kind: Secret, type: helm.sh/release.v1, metadata: {name: sh.helm.release.v1.shop.v3}}":    false,
		"{apiVersion: v1, kind: ConfigMap, metadata: {name: x, labels: {owner: helm}}, data: {type: helm.sh/release.v1}}":       false,
		"{apiVersion: v1, kind: Service, metadata: {name: fairlead-shop}}":                                                      false,
		"{apiVersion: v1, kind: Secret, metadata: {name: my-sh.helm.release.v1.shop.v3, namespace: sh.helm.release.v1.shop.v}}": false,
	} {
		content, err := yamlread.Decoder{}.Object(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Reserved(&unstructured.Unstructured{Object: content}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if secretName("shop", 3) != revisionPrefix+"shop.v3" {
		t.Error("revisions have another name")
	}
}
