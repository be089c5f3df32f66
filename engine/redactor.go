package engine

import (
	"crypto/rand"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/redact"
	"github.com/fairlead-dev/fairlead/render"
)

// redactorOf hides the values of the Secrets among objects, in all their states,
// under a key of its own, so that hashes of two plans cannot be compared. Objects
// may be nil.
func redactorOf(objects ...*unstructured.Unstructured) *diff.Redactor {
	key := make([]byte, 32)
	rand.Read(key) // never fails, see crypto/rand
	return diff.NewRedactor(diff.RedactorOptions{Key: key, Public: redact.PublicKeys()}, objects...)
}

// secretsIn are the Secrets among objects.
func secretsIn(objects []render.Object) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() == "Secret" {
			out = append(out, o.Unstructured)
		}
	}
	return out
}
