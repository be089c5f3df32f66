package diff

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/redact"
)

// RedactorOptions define what is secret. The zero value hides all values of
// Secrets and shows no hash in their place.
type RedactorOptions struct {
	// Key is the key of the short hash (HMAC-SHA256) in a placeholder, by which
	// a reader can see whether two hidden values are the same. Empty: no hash,
	// all placeholders are equal. With a fixed or guessable key, short values
	// can be found by brute force; use a random key per report.
	Key []byte
	// Names are case-insensitive patterns, as in [path.Match], of keys whose
	// values are secret in any object, such as "*password*": keys
	// of a ConfigMap's data, fields, and the names of environment variables.
	Names []string
	// Public are patterns like Names of the keys of Secrets whose values are
	// ordinary words, such as "username". Elsewhere than in the Secret itself
	// they are hidden only where they are a whole field, whatever their length.
	Public []string
}

// Redactor hides secret values: those of Secrets (data, stringData, and the
// last-applied annotation, which repeats them), those under Names, what is in
// them (lines, leaves of JSON and YAML, passwords of connection strings and
// docker logins), and any other string that shows such a value of at least six
// bytes, also in another case, wrapped, escaped or encoded. Shorter values, of at
// least three bytes, are hidden where they are a whole field: the value of a
// field, what is in quotes in a text, or behind an equals sign. SECURITY.md lists
// what is found and what is not. It is replaced by [secret], or by
// [secret 1a2b3c4d] with a hash. Names of objects and of fields are not hidden,
// nor is a "name" that is the key of list items.
//
// A Redactor is immutable and safe for concurrent use. Create it from all
// objects of a report, in all their states, so that a value is hidden wherever
// it occurs. A nil Redactor hides nothing.
type Redactor struct {
	opts RedactorOptions
	// sets are what is searched for; each With adds one.
	sets []*redact.Set
	// names and labels of objects, which are shown anyway: a short value that is
	// one is not hidden.
	names map[string]bool
}

// NewRedactor returns a Redactor that hides the secret values in objects; nil
// and objects without any are ignored.
func NewRedactor(opts RedactorOptions, objects ...*unstructured.Unstructured) *Redactor {
	opts.Key = slices.Clone(opts.Key)
	opts.Names = lower(opts.Names)
	opts.Public = lower(opts.Public)
	return (&Redactor{opts: opts}).With(objects...)
}

// With returns a Redactor that also hides the secret values in objects. Its
// hashes are those of r. With of a nil Redactor returns nil.
func (r *Redactor) With(objects ...*unstructured.Unstructured) *Redactor {
	if r == nil {
		return nil
	}
	out := &Redactor{opts: r.opts, names: maps.Clone(r.names)}
	if out.names == nil {
		out.names = map[string]bool{}
	}
	set := &redact.Set{}
	for _, u := range objects {
		if u == nil {
			continue
		}
		out.names[strings.ToLower(u.GetName())], out.names[strings.ToLower(u.GetNamespace())] = true, true
		for _, label := range u.GetLabels() {
			out.names[strings.ToLower(label)] = true
		}
		if ObjectOf(u).isSecret() {
			out.learnSecret(u.Object, set)
		} else if len(r.opts.Names) > 0 {
			out.learnNamed(u.Object, set, 0)
		}
	}
	out.sets = append(slices.Clip(r.sets), set)
	return out
}

func lower(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return out
}

func (o Object) isSecret() bool { return o.Group == "" && o.Kind == "Secret" }

func (r *Redactor) learnSecret(o map[string]any, set *redact.Set) {
	for _, field := range []string{"data", "stringData"} {
		m, ok := o[field].(map[string]any)
		if !ok {
			r.learnAll(o[field], set, 0)
		}
		for k, v := range m {
			if s, ok := v.(string); ok && field == "data" {
				v = decoded(s)
			}
			if s, ok := v.(string); ok && match(r.opts.Public, k) {
				set.LearnWhole(s)
				continue
			}
			r.learnAll(v, set, 0)
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if s, ok := annotations[lastApplied].(string); ok {
		var last map[string]any
		if json.Unmarshal([]byte(s), &last) == nil {
			delete(last, "metadata")
			r.learnSecret(last, set)
		}
	}
}

// learnAll learns all values in v. In a Secret they must be strings; the API
// server rejects others, and repeats them in its error.
func (r *Redactor) learnAll(v any, set *redact.Set, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case string:
		set.Learn(v)
	case int64:
		set.Learn(strconv.FormatInt(v, 10))
	case float64:
		set.Learn(strconv.FormatFloat(v, 'f', -1, 64))
		set.Learn(strconv.FormatFloat(v, 'g', -1, 64))
	case []any:
		for _, e := range v {
			r.learnAll(e, set, depth+1)
		}
	case map[string]any:
		for _, e := range v {
			r.learnAll(e, set, depth+1)
		}
	}
}

// learnNamed learns the values of the keys that match Names.
func (r *Redactor) learnNamed(v any, set *redact.Set, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		for k, e := range v {
			if s, ok := e.(string); ok && (match(r.opts.Names, k) || k == "value" && match(r.opts.Names, name)) {
				set.Learn(s)
				continue
			}
			r.learnNamed(e, set, depth+1)
		}
	case []any:
		for _, e := range v {
			r.learnNamed(e, set, depth+1)
		}
	}
}

func match(patterns []string, name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := pathpkg.Match(p, name)
		return ok && err == nil
	})
}

func decoded(s string) string {
	if raw, err := base64.StdEncoding.DecodeString(s); err == nil {
		return string(raw)
	}
	return s
}

// placeholder returns the replacement of a secret value.
func (r *Redactor) placeholder(value string) string {
	if len(r.opts.Key) == 0 {
		return "[secret]"
	}
	h := hmac.New(sha256.New, r.opts.Key)
	h.Write([]byte(value))
	return "[secret " + hex.EncodeToString(h.Sum(nil)[:4]) + "]"
}

// spans returns the secrets in s, sorted and without overlaps.
func (r *Redactor) spans(s string) []redact.Span {
	var found []redact.Span
	for _, set := range r.sets {
		found = append(found, set.Spans(s)...)
	}
	found = slices.DeleteFunc(found, func(f redact.Span) bool {
		return f.Whole && r.names[strings.ToLower(strings.TrimSpace(s[f.From:f.To]))]
	})
	return redact.Merge(found)
}

// Contains reports whether s shows a secret value.
func (r *Redactor) Contains(s string) bool { return r != nil && len(r.spans(s)) > 0 }

// containsLong reports whether s shows a value that is not only searched for as
// a whole field.
func (r *Redactor) containsLong(s string) bool {
	return r != nil && slices.ContainsFunc(r.spans(s), func(f redact.Span) bool { return !f.Whole })
}

// String returns s with every known secret value in it replaced by a
// placeholder. It is for texts from other sources: events, log lines, messages
// of the API server.
func (r *Redactor) String(s string) string {
	if r == nil {
		return s
	}
	spans := r.spans(s)
	if len(spans) == 0 {
		return s
	}
	var b strings.Builder
	at := 0
	for _, sp := range spans {
		b.WriteString(s[at:sp.From])
		b.WriteString(r.placeholder(sp.Value))
		at = sp.To
	}
	b.WriteString(s[at:])
	return b.String()
}
