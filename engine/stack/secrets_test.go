package stack_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// secretBase makes a Secret of its own: with a password that the chart draws, and one
// that it is given. Both are in a ConfigMap and in its notes, too.
func (f *fixture) secretBase() stack.Member {
	text := "{{- $drawn := randAlphaNum 24 }}\napiVersion: v1\nkind: Secret\nmetadata: {name: base}\n" +
		"stringData: {drawn: {{ $drawn }}, given: {{ .Values.given }}}\n---\n" +
		configMap("base", "  url: postgres://me:{{ $drawn }}@base\n  encoded: {{ $drawn | b64enc }}\n  given: {{ .Values.given }}\n")
	return f.member("base", map[string]string{"a.yaml": text, "NOTES.txt": "Log in as me:{{ .Values.given }}"}, "given=given-Horse-battery")
}

// user renders what it gets in all places that a report has.
func (f *fixture) user(name string, o stack.Output, colour string) stack.Member {
	templates := map[string]string{
		"a.yaml": configMap(name, "  x: {{ .Values.x | quote }}\n  b: {{ .Values.x | b64enc }}\n  colour: {{ .Values.colour }}\n"),
		"b.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: " + name + ", annotations: {x: {{ .Values.x | quote }}}}\nspec: {ports: [{port: 80}]}\n",
		"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + name + "-hook\n  annotations: {helm.sh/hook: 'pre-install,pre-upgrade', helm.sh/hook-delete-policy: before-hook-creation}\n" +
			"data: {x: {{ .Values.x | quote }}, colour: {{ .Values.colour }}}\n",
		"NOTES.txt": "It is {{ .Values.x }}",
	}
	out := f.member(name, templates, "colour="+colour)
	out.Inputs = stack.Inputs{"x": o}
	return out
}

// secretOutputs are all ways by which a secret of base may reach another member.
func secretOutputs() map[string]stack.Output {
	field := func(kind, path string) stack.Output {
		return stack.Field("base", diff.Object{Version: "v1", Kind: kind, Name: "base"}, path)
	}
	upper := func(_ context.Context, v []any) (any, error) { return strings.ToUpper(v[0].(string)), nil }
	return map[string]stack.Output{
		"secret":   field("Secret", "data.drawn"),
		"field":    field("ConfigMap", "data.url"),
		"encoded":  field("ConfigMap", "data.encoded"),
		"given":    field("ConfigMap", "data.given"),
		"value":    stack.Value("base", "given"),
		"notes":    stack.Notes("base"),
		"function": stack.Func(upper, field("ConfigMap", "data.url")),
	}
}

// leaks returns the secret that a text shows, as it is or in base64; empty: none.
func leaks(text string, secrets ...string) string {
	text = strings.ToLower(text)
	for _, s := range secrets {
		for _, form := range []string{s, base64.StdEncoding.EncodeToString([]byte(s))} {
			if strings.Contains(text, strings.ToLower(form)) {
				return form
			}
		}
	}
	return ""
}

// secretsOfBase are those that are live.
func (f *fixture) secretsOfBase() []string {
	f.Helper()
	s, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, "base", metav1.GetOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return []string{string(s.Data["drawn"]), string(s.Data["given"])}
}

// What a chart puts into a Secret of its own shows nowhere in what is reported of the
// members that get it, and of the stack: plans, events, errors, drift, status.
func TestSecretsThatChartsMake(t *testing.T) {
	for name, output := range secretOutputs() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			texts := map[string]string{}
			// last gets it from user, and not from where it was made.
			last := func(colour string) stack.Member {
				return f.user("last", stack.Field("user", diff.Object{Version: "v1", Kind: "ConfigMap", Name: "user"}, "data.x"), colour)
			}
			for _, colour := range []string{"red", "blue"} { // unknown at first, then known
				s := f.stack(f.secretBase(), f.user("user", output, colour), last(colour))
				plan := f.plan(s)
				for format, text := range shown(t, plan) {
					texts[format+" "+colour] = text
				}
				texts["printed "+colour] = fmt.Sprintf("%+v %#v", plan, plan)
				result, err := s.Apply(f.ctx, plan, stack.ApplyOptions{OnEvent: func(e stack.Event) {
					if e.Member != "base" { // which shows its own notes
						texts["events "+colour] += fmt.Sprintf("%+v %s\n", e, e)
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				texts["result "+colour] = stored(t, result.Members)
			}
			secrets := f.secretsOfBase()
			if leaks(f.data("user")["x"], secrets...) == "" || leaks(f.data("last")["x"], secrets...) == "" || f.data("user")["colour"] != "blue" {
				t.Fatalf("user is %v, last is %v", f.data("user"), f.data("last"))
			}
			f.secretsInReports(texts, f.stack(f.secretBase(), f.user("user", output, "blue"), last("blue")))
			f.secretsInErrors(texts, output)
			for what, text := range texts {
				if leaked := leaks(text, secrets...); leaked != "" {
					t.Errorf("%s shows %q:\n%s", what, leaked, text)
				}
			}
		})
	}
}

// secretsInReports adds the drift, the status and the plan to uninstall, once objects
// were changed by hand.
func (f *fixture) secretsInReports(texts map[string]string, s *stack.Stack) {
	f.Helper()
	for _, name := range []string{"user", "last"} {
		patch := []byte(`{"data":{"x":"by hand ` + f.data(name)["x"] + `"}}`)
		if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Patch(f.ctx, name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			f.Fatal(err)
		}
	}
	drift, err := s.Drift(f.ctx)
	if err != nil || !drift.Drifted() || drift.Members[1].Err != nil || len(drift.Members[2].Report.Changes) == 0 {
		f.Fatalf("%+v %v", drift, err)
	}
	for _, m := range drift.Members {
		text, err := json.Marshal(m.Report)
		if err != nil {
			f.Fatal(err)
		}
		texts["drift of "+m.Member] = string(text) + fmt.Sprintf("%+v", m.Report)
	}
	for format, text := range shown(f.T, f.plan(s)) {
		texts[format+" with drift"] = text
	}
	down, err := s.PlanUninstall(f.ctx, stack.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	for format, text := range shown(f.T, down) {
		texts[format+" of the uninstall"] = text
	}
	status, err := s.Status(f.ctx)
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(status)
	if err != nil {
		f.Fatal(err)
	}
	texts["status"] = string(text) + status.String()
	history, err := s.History(f.ctx)
	if err != nil || len(history) < 5 {
		f.Fatal(history, err)
	}
	for _, r := range history {
		if text, err = json.Marshal(r.Revision); err != nil {
			f.Fatal(err)
		}
		texts["history"] += string(text) + r.Revision.Notes
	}
}

// secretsInErrors adds errors of charts, functions and the API server that repeat what
// they were given, of members that are planned, and that are planned again.
func (f *fixture) secretsInErrors(texts map[string]string, output stack.Output) {
	f.Helper()
	refused := map[string]string{
		"the chart":      "{{ fail (printf \"cannot use %q\" .Values.x) }}\n",
		"the API server": "apiVersion: v1\nkind: Service\nmetadata: {name: refused, labels: {x: {{ printf \"%s of two\" .Values.x | quote }}}}\nspec: {ports: [{port: 80, name: {{ .Values.x | quote }}}]}\n",
	}
	for name, template := range refused {
		m := f.member("refused", map[string]string{"a.yaml": template})
		m.Inputs = stack.Inputs{"x": output}
		s := f.stack(f.secretBase(), m)
		plan, err := s.Plan(f.ctx, stack.PlanOptions{})
		if err == nil {
			texts["the plan refused by "+name] = stored(f.T, plan) + shown(f.T, plan)["text"]
			err = plan.Err()
		}
		if err == nil {
			f.Errorf("%s refuses nothing", name)
		}
		texts["the error of "+name] = fmt.Sprintf("%v %+v", err, err)
	}
	fn := func(_ context.Context, v []any) (any, error) { return nil, fmt.Errorf("cannot parse %q", v[0]) }
	m := f.user("made", stack.Func(fn, output), "red")
	_, err := f.stack(f.secretBase(), m).Plan(f.ctx, stack.PlanOptions{})
	var failed *stack.OutputError
	if !errors.As(err, &failed) {
		f.Errorf("the function: %v", err)
	}
	texts["the error of the function"] = fmt.Sprintf("%v %+v", err, err)
}

// What a member changes beyond its plan is reported without what it was given as a
// secret.
func TestSecretsBeyondThePlan(t *testing.T) {
	for name, output := range secretOutputs() {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s := f.stack(f.secretBase(), f.user("user", output, "red"))
			plan := read(t, stored(t, f.plan(s)))
			more := f.user("user", output, "red")
			more.Release.Source = chart(t, "user", map[string]string{
				"a.yaml": configMap("user", "  x: {{ .Values.x | quote }}\n  more: {{ printf \"more %s\" .Values.x | quote }}\n"),
			})
			var events string
			_, err := f.stack(f.secretBase(), more).Apply(f.ctx, plan, stack.ApplyOptions{OnEvent: func(e stack.Event) {
				if e.Member != "base" {
					events += fmt.Sprintf("%+v %s\n", e, e)
				}
			}})
			var beyond *stack.BeyondError
			if errors.As(err, &beyond) != plan.Members[1].Later() || err == nil {
				t.Fatalf("%v", err)
			}
			secrets := f.secretsOfBase()
			text := fmt.Sprintf("%v %+v %s", err, err, events)
			if beyond != nil {
				text += fmt.Sprintf("%+v", beyond.Beyond)
			}
			if leaked := leaks(text, secrets...); leaked != "" {
				t.Errorf("it shows %q: %s", leaked, text)
			}
		})
	}
}
