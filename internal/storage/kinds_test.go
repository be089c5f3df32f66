package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func words(kinds []Kind) string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.text())
	}
	return strings.Join(out, " ")
}

// The kinds of a manifest are those of its objects, however they are written.
func TestKindsIn(t *testing.T) {
	for name, c := range map[string]struct{ manifest, want string }{
		"none":              {"", ""},
		"comments only":     {"---\n# Source: a/b.yaml\n# nothing\n", ""},
		"plain":             {"---\n# Source: a/b.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec: {}\n", "apps/v1/Deployment"},
		"each once":         {"apiVersion: v1\nkind: Secret\n---\nkind: Secret\napiVersion: v1\n", "v1/Secret"},
		"sorted":            {"apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: ConfigMap\n", "v1/ConfigMap v1/Secret"},
		"own namespace":     {"apiVersion: v1\nkind: Secret\nmetadata:\n  namespace: own\n", "v1/Secret"},
		"namespace":         {"apiVersion: v1\nkind: Secret\nmetadata:\n    name: a\n    labels:\n      namespace: no\n    namespace: 'other' # for them\n", "v1/Secret@other"},
		"lists":             {"apiVersion: v1\nkind: Secret\nmetadata:\n  finalizers:\n  - namespace: x\n  namespace: other\nx:\n- kind: Pod\n", "v1/Secret@other"},
		"block scalar":      {"apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    kind: Pod\n\n    metadata:\n", "v1/ConfigMap"},
		"flow":              {`{"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "other"}}`, "v1/Secret@other"},
		"flow metadata":     {"apiVersion: v1\nkind: Secret\nmetadata: {namespace: other}\n", "v1/Secret@other"},
		"flow below":        {"apiVersion: v1\nkind: Secret\nmetadata:\n  {namespace: other}\n", "v1/Secret@other"},
		"quoted keys":       {"\"apiVersion\": v1\n\"kind\": Secret\nmetadata:\n  \"namespace\": other\n", "v1/Secret@other"},
		"anchors":           {"apiVersion: &v v1\nkind: Secret\nmetadata: &m\n  namespace: other\n", "v1/Secret@other"},
		"merged":            {"apiVersion: v1\nkind: Secret\nx: &m {namespace: other}\nmetadata:\n  <<: *m\n", "v1/Secret@other"},
		"quoted over lines": {"apiVersion: v1\nx: \"\nkind: Pod\"\nkind: Secret\n", "v1/Secret"},
		"list":              {"apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n- {apiVersion: apps/v1, kind: Deployment}\n", "v1/Pod apps/v1/Deployment"},
		"carriage returns":  {"apiVersion: v1\r\nkind: Secret\r\nmetadata:\r\n  namespace: other\r\n", "v1/Secret@other"},
		"two namespaces":    {"apiVersion: v1\nkind: Secret\n---\napiVersion: v1\nkind: Secret\nmetadata:\n  namespace: other\n", "v1/Secret v1/Secret@other"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := kindsIn(c.manifest, "own")
			if err != nil || words(got) != c.want {
				t.Errorf("%s, %v; want %s", words(got), err, c.want)
			}
			objects, err := Objects(NewDecoder(), c.manifest, nil)
			if err != nil {
				t.Fatal(err)
			}
			parsed := map[Kind]bool{}
			for _, o := range objects {
				k := Kind{o.GroupVersionKind(), o.GetNamespace()}
				if k.Namespace == "own" {
					k.Namespace = ""
				}
				parsed[k] = true
			}
			if len(parsed) != len(got) || slices.ContainsFunc(got, func(k Kind) bool { return !parsed[k] }) {
				t.Errorf("%v, parsed %v", got, parsed)
			}
			again, ok := ParseKinds(words(got))
			if !ok || !slices.Equal(again, got) {
				t.Errorf("read again: %v", again)
			}
		})
	}
	for _, bad := range []string{"a: b", "kind: [", "- a", "apiVersion: a/b/c\nkind: X\n"} {
		if got, err := kindsIn(bad, ""); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

// Documents of the form that most templates have are not parsed.
func TestHeadOf(t *testing.T) {
	plain := "# Source: a/b.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{ x }}\n  labels:\n    a: *no\n  namespace: other\nspec:\n  x: [\n"
	if h, ok := headOf(plain); !ok || h != (head{"apps/v1", "Deployment", "other"}) {
		t.Errorf("%v, %v", h, ok)
	}
}

// What is not written by an engine is not read.
func TestParseKindsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no version":  "Secret",
		"no kind":     "v1/",
		"many parts":  "a/b/c/D",
		"long":        "v1/" + strings.Repeat("x", maxAnnotation),
		"many":        strings.Repeat("v1/X ", maxKinds+1),
		"a namespace": "@x",
	} {
		if kinds, ok := ParseKinds(text); ok {
			t.Errorf("%s: %v", name, kinds)
		}
	}
}

// The annotation of a revision follows its manifest, is bounded, and is read as the
// body is.
func TestKindsOfRevisions(t *testing.T) {
	s := newShelf(t)
	manifest := "---\n# Source: a/b.yaml\napiVersion: v1\nkind: Secret\n---\n# Source: a/c.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  namespace: other\n"
	big := &strings.Builder{}
	for i := range maxKinds + 1 {
		fmt.Fprintf(big, "---\napiVersion: v1\nkind: Kind%d\n", i)
	}
	for i, c := range []struct {
		manifest, want string
		none           bool
	}{
		{manifest: manifest, want: "v1/ConfigMap@other v1/Secret"},
		{manifest: ""},
		{manifest: big.String(), none: true},
		{manifest: "kind: [", none: true},
		{manifest: bigManifest(3 * testLimit), want: "v1/ConfigMap"}, // continued in further Secrets
	} {
		r := s.record(i+1, StatusDeployed)
		r.Manifest = TextOf(c.manifest)
		if err := s.Create(s.ctx, r); err != nil {
			t.Fatal(err)
		}
		text, ok := WatchedKinds(r.secret.ObjectMeta)
		if text != c.want || ok == c.none {
			t.Errorf("%d: %q, %v", i, text, ok)
		}
		if kinds, err := s.Kinds(s.ctx, s.ns, r.Name, r.Revision); !c.none && (err != nil || words(kinds) != c.want) {
			t.Errorf("%d: %v, %v", i, kinds, err)
		}
	}
	// Another manifest, and a text that was forged, are replaced.
	r, err := s.Get(s.ctx, s.ns, "shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	r.secret.Annotations[annotationKinds] = "v1/Pod"
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	if text, _ := WatchedKinds(r.secret.ObjectMeta); text != "v1/ConfigMap@other v1/Secret" {
		t.Error(text)
	}
}

func BenchmarkKindsIn(b *testing.B) {
	manifest := strings.Repeat("---\n# Source: a/b.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  labels:\n    a: b\ndata:\n"+strings.Repeat("  some.key: some value\n", 20), 1000)
	b.SetBytes(int64(len(manifest)))
	for b.Loop() {
		if kinds, err := kindsIn(manifest, "x"); err != nil || len(kinds) != 1 {
			b.Fatal(kinds, err)
		}
	}
}
