package diff

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const canary = "c4n4ry/+ \"x\"<y>"

// TestSecretsAreHidden puts a secret value everywhere a report shows a value
// and searches for it in every output of the report.
func TestSecretsAreHidden(t *testing.T) {
	secret := func(v string) *unstructured.Unstructured {
		last, _ := json.Marshal(map[string]any{"kind": "Secret", "stringData": map[string]any{"password": v}})
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret",
			"metadata": map[string]any{"name": "db", "namespace": "shop", "annotations": map[string]any{lastApplied: string(last)}},
			"data":     map[string]any{"password": base64.StdEncoding.EncodeToString([]byte(v)), "flag": "dHJ1ZQ=="},
		}}
	}
	typed := func(v string) *unstructured.Unstructured {
		u := secret(v)
		u.Object["stringData"] = map[string]any{"password": v, "other": v + "2"}
		return u
	}
	app := func(v string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apps/v1", "kind": "Deployment",
			"metadata": map[string]any{
				"name": "web", "namespace": "shop",
				"labels": map[string]any{v: "x"}, "annotations": map[string]any{"a": v, "config": base64.StdEncoding.EncodeToString([]byte("x=" + v))},
				"finalizers": []any{v},
			},
			"spec": map[string]any{"template": map[string]any{"spec": map[string]any{"containers": []any{map[string]any{
				"name": "web", "args": []any{"--password", v},
				"env":          []any{map[string]any{"name": "URL", "value": "postgres://u:" + url.QueryEscape(v) + "@db/x"}},
				"volumeMounts": []any{map[string]any{"name": "v", "mountPath": "/" + v}},
				"other":        map[string]any{"text": "line\n" + v + "\n"},
			}}}}},
		}}
	}
	old, now := canary, "0"+canary+"1"
	inputs := map[string][]Input{
		"created": {{Desired: typed(now)}, {Desired: app(now)}},
		"updated": {{Base: secret(old), Live: secret(old), Desired: typed(now)}, {Base: app(old), Live: app(old), Desired: app(now)}},
		"drifted": {{Base: secret(old), Live: secret(now), Desired: secret(old)}, {Base: app(old), Live: app(now), Desired: app(old)}},
		"removed": {{Base: typed(now), Live: secret(now), Desired: &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "db", "namespace": "shop"}}}}},
		"deleted": {{Base: secret(old), Live: secret(old)}},
	}
	for name, ins := range inputs {
		t.Run(name, func(t *testing.T) {
			var all []*unstructured.Unstructured
			for _, in := range ins {
				all = append(all, in.Base, in.Live, in.Desired)
			}
			r := NewRedactor(RedactorOptions{Key: []byte("k")}, all...)
			own := now
			if name == "deleted" {
				own = old
			}
			rep := Report{Title: "release " + own, Warnings: []string{"server says " + own}}
			for _, in := range ins {
				ch, err := Compare(in, Options{Secrets: r})
				if err != nil {
					t.Fatal(err)
				}
				ch.Reason = "invalid value " + own
				rep.Changes = append(rep.Changes, ch)
			}
			rep = r.Report(rep)
			noCanary(t, rep)
		})
	}
	// Without a Redactor a Secret's own values are hidden as well.
	for _, in := range []Input{{Desired: typed(now)}, {Base: secret(old), Live: secret(old), Desired: typed(now)}} {
		ch, err := Compare(in, Options{})
		if err != nil {
			t.Fatal(err)
		}
		noCanary(t, Report{Changes: []Change{ch}})
		if len(ch.Fields) == 0 || !ch.Fields[len(ch.Fields)-1].Secret {
			t.Errorf("fields %v: want a secret one", ch.Fields)
		}
		if _, err := ch.ApplyTo(in.Live); err == nil {
			t.Error("a change with hidden values was applied")
		}
	}
}

func noCanary(t *testing.T, rep Report) {
	t.Helper()
	outs := map[string]string{
		"text":     text(t, rep, TextOptions{Color: true}),
		"verbose":  text(t, rep, TextOptions{Verbose: true, Width: 300}),
		"markdown": markdown(t, rep, MarkdownOptions{}),
	}
	var page bytes.Buffer
	if err := rep.WriteHTML(&page, HTMLOptions{}); err != nil {
		t.Fatal(err)
	}
	outs["html"] = page.String()
	data, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	outs["json"] = string(data)
	needles := []string{"c4n4ry", base64.StdEncoding.EncodeToString([]byte(canary)), base64.StdEncoding.EncodeToString([]byte("0" + canary + "1"))}
	for name, out := range outs {
		for _, n := range needles {
			if i := strings.Index(out, n); i >= 0 {
				t.Errorf("%s shows the secret: …%s…", name, out[max(0, i-60):min(len(out), i+60)])
			}
		}
	}
}

func TestRedactorString(t *testing.T) {
	s := object(t, "{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hunter22, b: hunter2299, c: abc, user: postgres, t: \"trailing\\n\"}}")
	r := NewRedactor(RedactorOptions{Public: []string{"USER"}}, s, nil)
	for in, want := range map[string]string{
		"nothing":                    "nothing",
		"pw=hunter22;":               "pw=[secret];",
		"pw=hunter2299;":             "pw=[secret];",
		"hunter22 hunter22":          "[secret] [secret]",
		"hunter22hunter2299":         "[secret][secret]",
		"abc is short":               "abc is short",
		"user postgres":              "user postgres",
		"trailing":                   "[secret]",
		"a aHVudGVyMjI= b":           "a [secret] b",
		"eyJwIjoiaHVudGVyMjIifQ== z": "[secret]== z", // {"p":"hunter22"}
	} {
		if got := r.String(in); got != want {
			t.Errorf("String(%q) = %q, want %q", in, got, want)
		}
	}
	if got := (*Redactor)(nil).String("hunter22"); got != "hunter22" {
		t.Errorf("nil Redactor: %q", got)
	}
}

func TestRedactorNames(t *testing.T) {
	in := Input{
		Live:    object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {DB_PASSWORD: hunter22, host: db}}"),
		Desired: object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {DB_PASSWORD: hunter33, host: db-hunter33}}"),
	}
	in.Base = in.Live
	ch, err := Compare(in, Options{Secrets: NewRedactor(RedactorOptions{Names: []string{"*password*"}}, in.Live, in.Desired)})
	if err != nil {
		t.Fatal(err)
	}
	if out := text(t, Report{Changes: []Change{ch}}, TextOptions{}); strings.Contains(out, "hunter") || len(ch.Fields) != 2 {
		t.Errorf("got %s", out)
	}
}

// minSecret is the length from which a value is searched for in other texts.
const minSecret = 6

// FuzzRedactor searches for a secret value in a redacted text.
func FuzzRedactor(f *testing.F) {
	f.Add("user ", "hunter22", " logged in")
	f.Add("", "aaaaaa", "aaa")
	f.Add("\"", "line\nbreak\t", "\"")
	f.Fuzz(func(t *testing.T, before, value, after string) {
		if len(value) < minSecret || strings.ContainsAny(value, "[]") || strings.Contains("secret", value) {
			return // too short, or part of the placeholder
		}
		r := NewRedactor(RedactorOptions{}, &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"v": value},
		}})
		text := before + value + after
		for _, in := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text))} {
			out := r.String(in)
			if strings.Contains(out, value) || !r.Contains(in) {
				t.Errorf("String(%q) = %q shows %q", in, out, value)
			}
			if again := r.String(out); strings.Contains(again, value) {
				t.Errorf("String(%q) = %q", out, again)
			}
		}
	})
}
