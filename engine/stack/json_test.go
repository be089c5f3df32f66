package stack_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// A stored plan is read as strictly as those of the engine, and applied only to the
// stack that it is for.
func TestStoredPlanIsNotTrusted(t *testing.T) {
	f := newFixture(t)
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  host: {{ .Values.host }}\n")})
	user.Inputs = stack.Inputs{"host": clusterIP("base")}
	base := f.member("base", map[string]string{"a.yaml": service})
	s := f.stack(base, user)
	text, err := json.Marshal(f.plan(s))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"no plan":              func(string) string { return "{}" },
		"a plan of the engine": func(s string) string { return strings.Replace(s, "stack-plan/v1", "plan/v1", 1) },
		"an unknown member":    func(s string) string { return strings.Replace(s, `"kind"`, `"more":1,"kind"`, 1) },
		"a member twice":       func(s string) string { return strings.Replace(s, `"kind"`, `"stack":"x","kind"`, 1) },
		"a member without plan": func(s string) string {
			return `{"schema":"fairlead.dev/stack-plan/v1","kind":"Deploy","stack":"x","members":[{"member":"a","plan":null}]}`
		},
		"an unknown one below": func(s string) string { return strings.Replace(s, `"member":"base"`, `"member":"base","more":1`, 1) },
		"another schema below": func(s string) string {
			return strings.Replace(s, `"fairlead.dev/plan/v1"`, `"fairlead.dev/plan/v2"`, 1)
		},
		"what is more than JSON": func(s string) string { return s + "x" },
	} {
		var p stack.Plan
		if err := p.UnmarshalJSON([]byte(change(string(text)))); !errors.Is(err, stack.ErrPlanInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, change := range map[string]func(string) string{
		"another stack": func(s string) string { return strings.Replace(s, `"stack":"`+f.namespace+`"`, `"stack":"other"`, 1) },
		"another input": func(s string) string {
			return strings.Replace(s, `"path":"host","output"`, `"path":"other","output"`, 1)
		},
		"fewer needs":        func(s string) string { return strings.Replace(s, `"needs":["base"],`, "", 1) },
		"another release":    func(s string) string { return strings.Replace(s, `"name":"base"`, `"name":"other"`, 1) },
		"another kind":       func(s string) string { return strings.Replace(s, `"kind":"Deploy"`, `"kind":"Uninstall"`, 1) },
		"another member":     func(s string) string { return strings.Replace(s, `"member":"base"`, `"member":"other"`, 1) },
		"an uninstall below": func(s string) string { return strings.Replace(s, `"kind":"Install"`, `"kind":"Uninstall"`, 1) },
	} {
		var p stack.Plan
		if err := json.Unmarshal([]byte(change(string(text))), &p); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := s.Apply(f.ctx, &p, stack.ApplyOptions{}); !errors.Is(err, stack.ErrPlanStack) && !errors.Is(err, stack.ErrPlanInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f.data("user") != nil {
		t.Error("a plan that was changed was applied")
	}
	if _, err := s.Apply(f.ctx, nil, stack.ApplyOptions{}); !errors.Is(err, stack.ErrPlanInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := s.Apply(f.ctx, f.plan(s), stack.ApplyOptions{OnFailure: "Pray"}); !errors.Is(err, engine.ErrInvalidOptions) {
		t.Errorf("%v", err)
	}
	// The plan of a member with unknowns cannot be applied by itself.
	plan := f.plan(s)
	if _, err := f.engine.Apply(f.ctx, plan.Members[1].Plan, engine.ApplyOptions{}); !errors.Is(err, engine.ErrSourceNeeded) {
		t.Errorf("%v", err)
	}
	release := user.Release
	if _, err := f.engine.Apply(f.ctx, plan.Members[1].Plan, engine.ApplyOptions{Release: &release}); err == nil {
		t.Error("it was applied")
	}
}

var encoded = regexp.MustCompile(`[A-Za-z0-9+/]{16,}={0,2}`)

// Hooks and Secrets that depend on the unknown show no example either, encoded or
// not, when they are created and when they change.
func TestUnknownInHooksAndSecrets(t *testing.T) {
	f := newFixture(t)
	templates := map[string]string{
		"secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: user}\nstringData: {url: http://{{ .Values.host }}}\ndata: {raw: {{ .Values.host | b64enc }}}\n",
		"hook.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: user-hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade'}\n" +
			"data: {host: {{ .Values.host }}, encoded: {{ .Values.host | b64enc }}, fixed: as-ever}\n",
		"NOTES.txt": "The host is {{ .Values.host }}.\n",
	}
	user := f.member("user", templates)
	user.Inputs = stack.Inputs{"host": clusterIP("base")}
	last := f.member("last", map[string]string{"a.yaml": configMap("last", "  notes: {{ .Values.notes | quote }}\n")})
	last.Inputs = stack.Inputs{"notes": stack.Notes("user")}
	for _, name := range []string{"base", "other"} { // another Service: the address changes
		base := f.member("base", map[string]string{"a.yaml": strings.Replace(service, "{{ .Release.Name }}", name, 1)})
		output := clusterIP("base")
		if name == "other" {
			output = stack.Field("base", diff.Object{Version: "v1", Kind: "Service", Name: name}, "spec.clusterIP")
		}
		user.Inputs = stack.Inputs{"host": output}
		s := f.stack(base, user, last)
		plan, err := s.Plan(f.ctx, stack.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantUnknown(t, plan, "user", "Secret data.raw", "Secret data.url")
		wantUnknown(t, plan, "last", "ConfigMap data.notes")
		for format, text := range shown(t, plan) {
			if leaked := drawn.FindString(text); leaked != "" {
				t.Errorf("%s shows %q:\n%s", format, leaked, text)
			}
			for _, token := range encoded.FindAllString(text, -1) {
				if raw, err := base64.StdEncoding.DecodeString(token); err == nil && drawn.Match(raw) {
					t.Errorf("%s shows %q, encoded as %s", format, raw, token)
				}
			}
		}
		f.apply(s, plan)
		if again := f.plan(s); again.Changed() {
			t.Errorf("it changes again:\n%s", shown(t, again)["text"])
		}
	}
	if notes := f.data("last")["notes"]; !strings.HasPrefix(notes, "The host is 10.") {
		t.Errorf("applied is %q", notes)
	}
}
