package diff

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	pathpkg "path"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// minSecret is the length from which a secret value is searched for in other
// texts. Shorter ones ("true", "5432") would hide half of a report.
const minSecret = 6

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
	// hidden in the Secret itself but not searched for elsewhere, such as
	// "username", where the value is an ordinary word.
	Public []string
}

// Redactor hides secret values: those of Secrets (data, stringData, and the
// last-applied annotation, which repeats them), those under Names, and any
// other string that contains such a value of at least six bytes: as it is,
// trimmed, quoted, URL-encoded, or in base64. It is replaced by [secret], or by
// [secret 1a2b3c4d] with a hash. Names of objects and of fields are not hidden,
// nor is a "name" that is the key of list items.
//
// A Redactor is immutable and safe for concurrent use. Create it from all
// Secrets of a report, in all their states, so that a value is hidden wherever
// it occurs. A nil Redactor hides nothing.
type Redactor struct {
	opts  RedactorOptions
	known []secret // longest first
}

// secret is a text to search for, and the value that it represents.
type secret struct {
	text  string
	value string
}

// NewRedactor returns a Redactor that hides the secret values in objects; nil
// and objects without any are ignored.
func NewRedactor(opts RedactorOptions, objects ...*unstructured.Unstructured) *Redactor {
	opts.Key = slices.Clone(opts.Key)
	opts.Names = lower(opts.Names)
	opts.Public = lower(opts.Public)
	r := &Redactor{opts: opts}
	seen := map[string]bool{}
	for _, u := range objects {
		if u == nil {
			continue
		}
		if ObjectOf(u).isSecret() {
			r.learnSecret(u.Object, seen)
		} else if len(opts.Names) > 0 {
			r.learnNamed(u.Object, seen, 0)
		}
	}
	slices.SortFunc(r.known, func(a, b secret) int {
		return cmp.Or(cmp.Compare(len(b.text), len(a.text)), cmp.Compare(a.text, b.text))
	})
	return r
}

func lower(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.ToLower(s)
	}
	return out
}

func (o Object) isSecret() bool { return o.Group == "" && o.Kind == "Secret" }

func (r *Redactor) learnSecret(o map[string]any, seen map[string]bool) {
	for _, field := range []string{"data", "stringData"} {
		m, ok := o[field].(map[string]any)
		if !ok {
			r.learnAll(o[field], seen, 0)
		}
		for k, v := range m {
			if match(r.opts.Public, k) {
				continue
			}
			if s, ok := v.(string); ok && field == "data" {
				v = decoded(s)
			}
			r.learnAll(v, seen, 0)
		}
	}
	meta, _ := o["metadata"].(map[string]any)
	annotations, _ := meta["annotations"].(map[string]any)
	if s, ok := annotations[lastApplied].(string); ok {
		var last map[string]any
		if json.Unmarshal([]byte(s), &last) == nil {
			delete(last, "metadata")
			r.learnSecret(last, seen)
		}
	}
}

// learnAll learns all values in v. In a Secret they must be strings; the API
// server rejects others, and repeats them in its error.
func (r *Redactor) learnAll(v any, seen map[string]bool, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case string:
		r.learn(v, seen)
	case int64:
		r.learn(strconv.FormatInt(v, 10), seen)
	case float64:
		r.learn(strconv.FormatFloat(v, 'f', -1, 64), seen)
		r.learn(strconv.FormatFloat(v, 'g', -1, 64), seen)
	case []any:
		for _, e := range v {
			r.learnAll(e, seen, depth+1)
		}
	case map[string]any:
		for _, e := range v {
			r.learnAll(e, seen, depth+1)
		}
	}
}

// learnNamed learns the values of the keys that match Names.
func (r *Redactor) learnNamed(v any, seen map[string]bool, depth int) {
	if depth > maxDepth {
		return
	}
	switch v := v.(type) {
	case map[string]any:
		name, _ := v["name"].(string)
		for k, e := range v {
			if s, ok := e.(string); ok && (match(r.opts.Names, k) || k == "value" && match(r.opts.Names, name)) {
				r.learn(s, seen)
				continue
			}
			r.learnNamed(e, seen, depth+1)
		}
	case []any:
		for _, e := range v {
			r.learnNamed(e, seen, depth+1)
		}
	}
}

// learn adds the forms in which a value can occur in other texts. Base64 is
// handled by decoding the text.
func (r *Redactor) learn(s string, seen map[string]bool) {
	quoted := strconv.Quote(s)
	asJSON, err := json.Marshal(s)
	if err != nil {
		asJSON = []byte(quoted)
	}
	trimmed := strings.TrimSpace(s)
	for _, text := range []string{
		s, trimmed, quoted[1 : len(quoted)-1], string(asJSON[1 : len(asJSON)-1]),
		url.QueryEscape(trimmed), url.PathEscape(trimmed),
		base64.StdEncoding.EncodeToString([]byte(s)),
	} {
		if len(text) >= minSecret && !seen[text] {
			seen[text] = true
			r.known = append(r.known, secret{text, s})
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

// span is a part of a text that shows a secret.
type span struct {
	from, to int
	value    string
}

// spans returns the secrets in s, sorted and without overlaps.
func (r *Redactor) spans(s string) []span {
	var found []span
	for _, k := range r.known {
		if len(k.text) > len(s) {
			continue
		}
		for at := 0; ; {
			i := strings.Index(s[at:], k.text)
			if i < 0 {
				break
			}
			found = append(found, span{at + i, at + i + len(k.text), k.value})
			at += i + 1
		}
	}
	if len(r.known) > 0 {
		found = append(found, r.encodedSpans(s)...)
	}
	slices.SortStableFunc(found, func(a, b span) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(b.to, a.to))
	})
	out := found[:0]
	for _, f := range found {
		if n := len(out); n > 0 && f.from < out[n-1].to {
			out[n-1].to = max(out[n-1].to, f.to)
			continue
		}
		out = append(out, f)
	}
	return out
}

// encodedSpans returns runs of base64, standard or for URLs, whose decoded text
// contains a secret. Text directly before a run shifts it, so that all four
// alignments are tried.
func (r *Redactor) encodedSpans(s string) []span {
	var out []span
	for i := 0; i < len(s); {
		if !isBase64(s[i]) {
			i++
			continue
		}
		j := i
		for j < len(s) && isBase64(s[j]) {
			j++
		}
		run := strings.NewReplacer("-", "+", "_", "/").Replace(s[i:j])
		for shift := 0; shift < 4 && len(run)-shift >= minSecret*4/3; shift++ {
			if v, ok := r.encoded(run[shift:]); ok {
				out = append(out, span{i, j, v})
				break
			}
		}
		i = j
	}
	return out
}

// encoded returns the secret value in the decoded run.
func (r *Redactor) encoded(run string) (string, bool) {
	if len(run)%4 == 1 {
		run = run[:len(run)-1]
	}
	raw, err := base64.RawStdEncoding.DecodeString(run)
	if err != nil {
		return "", false
	}
	text := string(raw)
	for _, k := range r.known {
		if strings.Contains(text, k.text) {
			return k.value, true
		}
	}
	return "", false
}

func isBase64(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '+' || c == '/' || c == '-' || c == '_'
}

// Contains reports whether s contains a secret value.
func (r *Redactor) Contains(s string) bool { return r != nil && len(r.spans(s)) > 0 }

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
		b.WriteString(s[at:sp.from])
		b.WriteString(r.placeholder(sp.value))
		at = sp.to
	}
	b.WriteString(s[at:])
	return b.String()
}
