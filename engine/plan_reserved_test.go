package engine

import (
	"errors"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/render"
)

func TestReservedObjectsAreRefused(t *testing.T) {
	object := func(kind, name, of string) render.Object {
		return render.Object{Unstructured: &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": kind, "type": of, "metadata": map[string]any{"name": name},
		}}}
	}
	revision, secret := object("Secret", "sh.helm.release.v1.shop.v2", "Opaque"), object("Secret", "shop", "Opaque")
	for name, m := range map[string]*render.Manifest{
		"object": {Objects: []render.Object{secret, revision}},
		"crd":    {CRDs: []render.Object{revision}},
		"hook":   {Hooks: []render.Hook{{Object: object("Secret", "x", "helm.sh/release.v1")}}},
	} {
		var e *Error
		if err := refuseReserved(Key{"team", "shop"}, m); !errors.As(err, &e) || !errors.Is(err, errReserved) || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := refuseReserved(Key{"team", "shop"}, &render.Manifest{Objects: []render.Object{secret}}); err != nil {
		t.Error(err)
	}
}
