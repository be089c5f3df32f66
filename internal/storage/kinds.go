package storage

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// annotationKinds lists the kinds of the objects of a revision, so that a watch of
// the metadata of revisions shows which kinds to watch. It is a hint: who may write
// it may write the manifest too.
const annotationKinds = annotationPrefix + "kinds"

// maxKinds bounds the annotation, which is maxAnnotation long at most, and so what
// is watched because of it. A revision with more has none.
const maxKinds = 128

// Kind is a kind that a revision has objects of, in a namespace.
type Kind struct {
	schema.GroupVersionKind
	// Namespace is that in the manifest. Empty: the release's own, or none.
	Namespace string
}

// text is the kind in the annotation: VERSION/KIND or GROUP/VERSION/KIND, and
// @NAMESPACE after it.
func (k Kind) text() string {
	text := k.GroupVersion().String() + "/" + k.Kind
	if k.Namespace != "" {
		text += "@" + k.Namespace
	}
	return text
}

func compareKinds(a, b Kind) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Version, b.Version), strings.Compare(a.Namespace, b.Namespace))
}

// kindsText is the annotation of a revision; not ok: it has none.
func kindsText(r *Record) (text string, ok bool) {
	kinds, err := kindsIn(r.Manifest.String(), r.Namespace)
	if err != nil || len(kinds) > maxKinds {
		return "", false
	}
	words := make([]string, len(kinds))
	for i, k := range kinds {
		if words[i] = k.text(); k.Version == "" || strings.ContainsAny(words[i], " \n") {
			return "", false
		}
	}
	text = strings.Join(words, " ")
	return text, len(text) <= maxAnnotation
}

// ParseKinds reads the annotation. It is false for what no engine has written.
func ParseKinds(text string) ([]Kind, bool) {
	words := strings.Fields(text)
	if len(text) > maxAnnotation || len(words) > maxKinds {
		return nil, false
	}
	out := make([]Kind, len(words))
	for i, word := range words {
		name, namespace, _ := strings.Cut(word, "@")
		slash := strings.LastIndexByte(name, '/')
		if slash < 1 || slash == len(name)-1 {
			return nil, false
		}
		gv, err := schema.ParseGroupVersion(name[:slash])
		if err != nil {
			return nil, false
		}
		out[i] = Kind{gv.WithKind(name[slash+1:]), namespace}
	}
	return out, true
}

// WatchedKinds is the annotation in the metadata of a revision, for ParseKinds; not
// ok: there is none, as Helm records none, and the revision is to be read.
func WatchedKinds(o metav1.ObjectMeta) (text string, ok bool) {
	text, ok = o.Annotations[annotationKinds]
	return text, ok && len(text) <= maxAnnotation
}

// Kinds reads the kinds of the objects of a revision, and keeps nothing else of it.
// It returns ErrNotFound, or a *DecodeError.
func (s *Store) Kinds(ctx context.Context, namespace, name string, revision int) ([]Kind, error) {
	secret, err := s.backend.Get(ctx, namespace, secretName(name, revision))
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("revision %d of %s/%s: %w", revision, namespace, name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read revision %d: %w", revision, err)
	}
	_, manifest, _, err := unpack(secret.Data[bodyKey], yamlread.NewBudget(maxOne))
	if err != nil {
		return nil, s.broken(namespace, secret.Name, err)
	}
	if _, continued, err := continuationOf(manifest); err != nil || continued {
		r, err := s.Get(ctx, namespace, name, revision)
		if err != nil {
			return nil, err
		}
		manifest = r.Manifest.String()
	}
	kinds, err := kindsIn(manifest, namespace)
	if err != nil {
		return nil, s.broken(namespace, secret.Name, err)
	}
	return kinds, nil
}

// kindsIn lists the kinds of the objects of a manifest, each once, in order. A
// namespace that is the release's own is left out.
func kindsIn(manifest, own string) ([]Kind, error) {
	var out []Kind
	seen := map[Kind]bool{}
	add := func(k Kind) {
		if k.Namespace == own {
			k.Namespace = ""
		}
		if !seen[k] {
			seen[k] = true
			out = append(out, k)
		}
	}
	decoder := NewDecoder()
	for d := range yamlread.Documents(manifest) {
		if h, ok := headOf(d.Text); ok {
			gv, err := schema.ParseGroupVersion(h.apiVersion)
			if err != nil {
				return nil, err
			}
			add(Kind{gv.WithKind(strings.Clone(h.kind)), strings.Clone(h.namespace)})
			continue
		}
		objects, err := Objects(decoder, d.Closed(manifest), nil)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			add(Kind{o.GroupVersionKind(), o.GetNamespace()})
		}
	}
	slices.SortFunc(out, compareKinds)
	return out, nil
}

// head is what a document of the plain form says of its object.
type head struct{ apiVersion, kind, namespace string }

// headOf reads the head of a document by its lines, without parsing the rest. It is
// false for what is not of the form that most templates have: a block mapping whose
// apiVersion, kind and metadata.namespace are words behind plain keys. Such a
// document has to be parsed.
func headOf(doc string) (h head, ok bool) {
	r := headReader{}
	for line := range strings.Lines(doc) {
		if !r.read(strings.TrimRight(line, " \r\n")) {
			return head{}, false
		}
	}
	return r.head, r.head.kind != "" && r.head.apiVersion != ""
}

// headReader reads a document line by line.
type headReader struct {
	head
	inMetadata  bool // the line is in the metadata
	hasMetadata bool
	indent      int // of the members of the metadata; 0: not known yet
}

// read reads a line without white space at its end. It is false if the document is
// not of the plain form.
func (r *headReader) read(line string) bool {
	text := strings.TrimLeft(line, " ")
	indent := len(line) - len(text)
	switch {
	case text == "" || text[0] == '#':
		return true
	case text[0] == '\t':
		return false
	case indent > 0:
		return !r.inMetadata || r.member(text, indent)
	case text == "-" || strings.HasPrefix(text, "- "): // of the list behind the key above
		return !r.inMetadata
	}
	key, value, ok := plainKey(text)
	r.inMetadata = false
	switch {
	case !ok || key == "items":
		return false
	case key == "apiVersion":
		return word(value, &r.apiVersion)
	case key == "kind":
		return word(value, &r.kind)
	case key == "metadata":
		if r.hasMetadata || value != "" {
			return false
		}
		r.inMetadata, r.hasMetadata = true, true
	}
	return true
}

// member reads a line of the metadata.
func (r *headReader) member(text string, indent int) bool {
	if r.indent == 0 {
		r.indent = indent
	}
	if indent != r.indent {
		return indent > r.indent
	}
	if text == "-" || strings.HasPrefix(text, "- ") { // of the list behind the key above
		return true
	}
	key, value, ok := plainKey(text)
	if !ok || key != "namespace" {
		return ok
	}
	return word(value, &r.namespace)
}

// plainKey splits a line into a key that needs no quotes and what follows it, without
// a comment.
func plainKey(line string) (key, value string, ok bool) {
	key, value, ok = strings.Cut(line, ":")
	if !ok || !isWord(key) || value != "" && value[0] != ' ' {
		return "", "", false
	}
	if i := strings.Index(value, " #"); i >= 0 {
		value = value[:i]
	}
	return key, strings.Trim(value, " "), true
}

// word sets into to a value that is a word, perhaps in quotes. It is false for
// anything else, and if into was set before.
func word(value string, into *string) bool {
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	if *into != "" || !isWord(value) {
		return false
	}
	*into = value
	return true
}

// isWord reports whether a text has only characters that mean nothing in YAML, and
// that names of kinds, groups and namespaces have.
func isWord(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '/', c == '.', c == '_':
		case c == '-' && i > 0:
		default:
			return false
		}
	}
	return text != ""
}
