package stack_test

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/render"
)

// Two environments are compared without a cluster: values by their layers, charts,
// and objects; what depends on outputs alone does not differ.
func TestCompareEnvironments(t *testing.T) {
	eng, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	web := map[string]string{
		"a.yaml": configMap("web", "  size: {{ .Values.size | quote }}\n  url: http://{{ .Values.host }}/{{ .Values.size }}\n  sum: {{ .Values.host | sha256sum }}\n  drawn: {{ randAlphaNum 8 }}\n"),
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {password: {{ .Values.password }}, " +
			"pin: {{ .Values.pin | int64 | quote }}, token: {{ index (index .Values.tokens 0).is 0 }}}\n",
	}
	base := render.FromYAML("base.yaml", []byte("size: 1\npassword: none-at-all\npin: 11111111\ntokens: [{of: x, is: [none-at-first]}]\nkept: {a: 1}\n"))
	environment := func(name string, layers ...render.Layer) *stack.Stack {
		v, err := render.MergeValues(append([]render.Layer{base}, layers...)...)
		if err != nil {
			t.Fatal(err)
		}
		release := func(n string, c *render.Chart) engine.Release {
			return engine.Release{Key: engine.Key{Namespace: name, Name: n}, Source: c}
		}
		frontend := release("web", chart(t, "web", web))
		frontend.Values = v
		s, err := stack.New(name, eng,
			stack.Member{Release: release("db", chart(t, "db", map[string]string{"a.yaml": service}))},
			stack.Member{Release: frontend, Inputs: stack.Inputs{"host": clusterIP("db")}},
		)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dev := environment("dev")
	prod := environment("prod", render.FromYAML("region.yaml", []byte("size: 2\n")), render.FromYAML("prod.yaml", []byte("# of prod\nsize: 3\npassword: hunter2hunter2\npin: 87654321\ntokens: [{of: x, is: [correct-horse-battery]}]\n")))
	c, err := stack.Compare(t.Context(), dev, prod)
	if err != nil {
		t.Fatal(err)
	}
	if c.Same != 1 || len(c.Members) != 1 {
		t.Fatalf("%+v", c)
	}
	var b bytes.Buffer
	if err := c.WriteText(&b, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"value size: 1 (base.yaml:1) → 3 (prod.yaml:2)", "1 member the same", `[{"is":["[secret]"],"of":"x"}]`, "data.size", "(known after apply)", "ConfigMap web"} {
		if !strings.Contains(text, want) {
			t.Errorf("it has no %q:\n%s", want, text)
		}
	}
	for _, not := range []string{"hunter2", "87654321", "8.765", "correct-horse", "later-", "unknown-", "data.sum", "data.drawn", "kept"} {
		if strings.Contains(text, not) {
			t.Errorf("it has %q:\n%s", not, text)
		}
	}
	if same, err := stack.Compare(t.Context(), dev, environment("other")); err != nil || same.Same != 2 || len(same.Members) != 0 {
		t.Errorf("%+v %v", same, err)
	}
}
