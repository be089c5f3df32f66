package engine

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// Marks of the ApplySet specification, KEP-3659.
const (
	labelSetID           = "applyset.kubernetes.io/id"      // on the parent
	labelPartOf          = "applyset.kubernetes.io/part-of" // on each member
	annotationTooling    = "applyset.kubernetes.io/tooling"
	annotationKinds      = "applyset.kubernetes.io/contains-group-kinds"
	annotationNamespaces = "applyset.kubernetes.io/additional-namespaces"
)

// setTool is the tool that a set belongs to: others refuse to change it.
// setVersion is the version of the set's form, not of this library, whose
// upgrade would otherwise change every release.
const (
	setTool    = "fairlead"
	setVersion = "v1"
)

// setSource stands for the template of a set's parent.
const setSource = "Options.ApplySet"

// applySet is how a plan sees the release as a set.
type applySet struct {
	id     string
	wanted bool // what is desired becomes a member
	keeps  bool // what is a member stays one, and nothing else becomes one
}

func (p premise) applySet() applySet {
	s := applySet{id: setID(p.key), wanted: p.policy.applySet && p.mode != uninstalling}
	if s.keeps = p.mode.keepsMembers(); s.keeps {
		s.wanted = p.history.last.ApplySet
	}
	return s
}

// setParentOf is the parent of a release's set. Charts often name a ConfigMap
// after the release, so it has a name of its own.
func setParentOf(k Key) diff.Object {
	return diff.Object{Kind: "ConfigMap", Namespace: k.Namespace, Name: storage.LeaseName(k.Name)}
}

// setID is the name of a release's set, which the specification derives from
// its parent.
func setID(k Key) string {
	p := setParentOf(k)
	sum := sha256.Sum256([]byte(strings.Join([]string{p.Name, p.Namespace, p.Kind, p.Group}, ".")))
	return "applyset-" + base64.RawURLEncoding.EncodeToString(sum[:]) + "-v1"
}

// setScope is where the members of a set are: kinds as in "Deployment.apps",
// and the namespaces other than the parent's. Both are sorted.
type setScope struct{ kinds, namespaces []string }

func (s *setScope) add(home string, kind schema.GroupKind, namespace string) {
	s.kinds = insertNew(s.kinds, kind.String())
	if namespace != "" && namespace != home {
		s.namespaces = insertNew(s.namespaces, namespace)
	}
}

// with is the scope that covers both.
func (s setScope) with(o setScope) setScope {
	out := setScope{slices.Clone(s.kinds), slices.Clone(s.namespaces)}
	for _, k := range o.kinds {
		out.kinds = insertNew(out.kinds, k)
	}
	for _, n := range o.namespaces {
		out.namespaces = insertNew(out.namespaces, n)
	}
	return out
}

func (s setScope) equal(o setScope) bool {
	return slices.Equal(s.kinds, o.kinds) && slices.Equal(s.namespaces, o.namespaces)
}

func insertNew(sorted []string, s string) []string {
	i, found := slices.BinarySearch(sorted, s)
	if found {
		return sorted
	}
	return slices.Insert(sorted, i, s)
}

// scopeIn reads what a parent lists; nothing if there is none.
func scopeIn(parent *unstructured.Unstructured) setScope {
	var s setScope
	if parent == nil {
		return s
	}
	read := func(text string) (out []string) {
		for part := range strings.SplitSeq(text, ",") {
			if part != "" {
				out = insertNew(out, part)
			}
		}
		return out
	}
	a := parent.GetAnnotations()
	return setScope{read(a[annotationKinds]), read(a[annotationNamespaces])}
}

// writeInto makes a parent list the scope. An empty list of kinds means that the
// set is empty; no list, that its kinds are unknown.
func (s setScope) writeInto(parent *unstructured.Unstructured) {
	a := parent.GetAnnotations()
	if a == nil {
		a = map[string]string{}
	}
	a[annotationKinds] = strings.Join(s.kinds, ",")
	if delete(a, annotationNamespaces); len(s.namespaces) > 0 {
		a[annotationNamespaces] = strings.Join(s.namespaces, ",")
	}
	parent.SetAnnotations(a)
}

// setParent is the parent that lists a scope, without the release's marks.
func setParent(k Key, s setScope) render.Object {
	o := setParentOf(k)
	u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": o.Kind}}
	u.SetName(o.Name)
	u.SetNamespace(o.Namespace)
	u.SetLabels(map[string]string{labelSetID: setID(k)})
	u.SetAnnotations(map[string]string{annotationTooling: setTool + "/" + setVersion})
	s.writeInto(u)
	return render.Object{Unstructured: u, Source: setSource}
}

// partOf is the set that an object is labelled as a member of; empty if none.
func partOf(u *unstructured.Unstructured) string {
	if u == nil {
		return ""
	}
	id, _, _ := unstructured.NestedString(u.Object, "metadata", "labels", labelPartOf)
	return id
}

// joined is u with the label of a member.
func joined(u *unstructured.Unstructured, id string) *unstructured.Unstructured {
	return withLabel(u, labelPartOf, id)
}

// otherSet is a set of its own that the chart puts an object into; empty: none.
func otherSet(u *unstructured.Unstructured, s applySet) string {
	if have := partOf(u); have != s.id {
		return have
	}
	return ""
}
