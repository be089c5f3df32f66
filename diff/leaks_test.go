package diff

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/redact/redacttest"
)

// TestAttackFormsInReports puts every form of a secret value that is found into
// another object, and looks for it in every output of the report.
func TestAttackFormsInReports(t *testing.T) {
	for _, f := range redacttest.Forms {
		if !f.Found {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			for _, v := range redacttest.Values {
				secret := object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}}")
				secret.Object["stringData"] = map[string]any{"password": v}
				text := "x " + f.Of(v) + " y"
				app := func(text string) *unstructured.Unstructured {
					u := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}")
					u.Object["data"] = map[string]any{"a": text, "b": "first\n" + text + "\nlast\n", "c" + strings.ToValidUTF8(text, ""): "x"}
					u.SetAnnotations(map[string]string{"note": text})
					return u
				}
				r := NewRedactor(RedactorOptions{Key: []byte("k")}, secret)
				rep := Report{Title: text, Warnings: []string{text}, Notes: []string{text}}
				for _, in := range []Input{{Desired: app(text)}, {Base: app("old"), Live: app("old"), Desired: app(text)}, {Base: app(text), Live: app(text), Desired: app("new")}} {
					ch, err := Compare(in, Options{Secrets: r})
					if err != nil {
						t.Fatal(err)
					}
					ch.Reason, ch.Warnings = text, []string{text}
					rep.Changes = append(rep.Changes, ch)
				}
				for what, out := range outputs(t, r.Report(rep)) {
					if shown := redacttest.Shows(f, v, out); shown != "" {
						t.Errorf("%s shows %q of %q", what, shown, text)
					}
				}
			}
		})
	}
}

// outputs are the report in all forms, with the values of JSON decoded.
func outputs(t *testing.T, rep Report) map[string]string {
	t.Helper()
	data, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"text": text(t, rep, TextOptions{Verbose: true, Width: 1000}), "markdown": markdown(t, rep, MarkdownOptions{Verbose: true}),
		"HTML": htmlPageOf(t, rep, HTMLOptions{}), "JSON": string(data), "JSON, decoded": fmt.Sprint(plain),
	}
}

// Short values and numbers are hidden as whole fields, unless they are names
// that are shown anyway.
func TestAttackShortFields(t *testing.T) {
	secret := object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {pin: '4711', short: abc, username: shopper-1, database: shop, number: '918273645'}}")
	web := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: shop}, data: {pin: '4711', text: 'pin 4711', a: ABC, user: shopper-1, in: user shopper-1, db: shop, num: '918273645'}, spec: {big: 918273645, port: 4711}}")
	ch, err := Compare(Input{Desired: web}, Options{Secrets: NewRedactor(RedactorOptions{Public: []string{"username", "database"}}, secret, web)})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]any{}
	for _, f := range ch.Fields {
		got[f.Path[strings.LastIndexByte(f.Path, '.')+1:]] = f.Desired
	}
	want := map[string]any{
		"pin": "[secret]", "text": "pin 4711", "a": "[secret]", "user": "[secret]", "in": "user shopper-1", "db": "shop", "num": "[secret]",
		"big": "[secret]", "port": int64(4711),
	}
	for k, v := range want {
		if got[k] != v {
			t.Errorf("%s is %v, want %v", k, got[k], v)
		}
	}
}

// With hides more, and leaves the Redactor as it was.
func TestRedactorWith(t *testing.T) {
	secret := func(v string) *unstructured.Unstructured {
		return object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: "+v+"}}")
	}
	one := NewRedactor(RedactorOptions{Key: []byte("k")}, secret("first-value"))
	both := one.With(secret("second-value"), nil)
	const text = "first-value second-value"
	if out := one.String(text); strings.Contains(out, "first") || !strings.Contains(out, "second") {
		t.Errorf("before: %s", out)
	}
	out := both.String(text)
	if strings.Contains(out, "first") || strings.Contains(out, "second") || !strings.HasPrefix(out, one.String("first-value")+" ") {
		t.Errorf("after: %s", out)
	}
	if (*Redactor)(nil).With(secret("x")) != nil {
		t.Error("a nil Redactor hides")
	}
}
