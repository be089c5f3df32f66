package stack_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// drawn are the examples that stand for what is unknown.
var drawn = regexp.MustCompile(`later-[a-z0-9]{10}|unknown-[a-z0-9]{14}|192\.0\.2\.1|198\.51\.100\.22|\b20001\b|\b30002\b`)

const uses = `  plain: {{ .Values.host | quote }}
  printed: {{ printf "http://%s:80" .Values.host | quote }}
  encoded: {{ .Values.host | b64enc | quote }}
  summed: {{ .Values.host | sha256sum | quote }}
  length: {{ len .Values.host | quote }}
  fixed: "as ever"
`

// wantUnknown fails unless exactly these values of a member's charts are unknown.
func wantUnknown(t testing.TB, p *stack.Plan, member string, want ...string) {
	t.Helper()
	var got []string
	for _, m := range p.Members {
		if m.Member != member {
			continue
		}
		for _, ch := range m.Plan.Report.Changes {
			// What the API server chooses is unknown as well, and from no input.
			ch.Fields = slices.DeleteFunc(slices.Clone(ch.Fields), func(f diff.Field) bool { return f.Cause == diff.Default })
			for _, path := range ch.Unknown() {
				got = append(got, ch.Object.Kind+" "+path)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("unknown in %s are %q, want %q", member, got, want)
	}
}

// wantChanged fails unless all members were changed by a call, or none.
func wantChanged(t testing.TB, r *stack.Result, want bool) {
	t.Helper()
	for _, m := range r.Members {
		if m.Changed != want || m.Revision == nil {
			t.Errorf("%s has changed: %v, want %v; %v", m.Member, m.Changed, want, m.Revision)
		}
	}
}

// What depends on an address that is not there yet is shown as unknown, whatever
// the templates make of it, and nothing else; no example is shown in any format. It
// is applied with the address, and known in the next plan.
func TestUnknownOutput(t *testing.T) {
	f := newFixture(t)
	backend := f.member("backend", map[string]string{"a.yaml": configMap("backend", uses)})
	backend.Inputs = stack.Inputs{"host": clusterIP("database").Like("192.0.2.1", "198.51.100.22")}
	frontend := f.member("frontend", map[string]string{"a.yaml": configMap("frontend", "  api: {{ .Values.api }}\n")})
	frontend.Inputs = stack.Inputs{"api": stack.Func(func(_ context.Context, v []any) (any, error) { return "http://" + v[0].(string), nil }, stack.Value("backend", "host"))}
	s := f.stack(frontend, backend, f.member("database", map[string]string{"a.yaml": service}))
	plan := f.plan(s)
	wantUnknown(t, plan, "backend", "ConfigMap data.encoded", "ConfigMap data.length", "ConfigMap data.plain", "ConfigMap data.printed", "ConfigMap data.summed")
	wantUnknown(t, plan, "frontend", "ConfigMap data.api")
	wantUnknown(t, plan, "database")
	for format, text := range shown(t, plan) {
		if leaked := drawn.FindString(text); leaked != "" {
			t.Errorf("%s shows %q:\n%s", format, leaked, text)
		}
		if format != "json" && !strings.Contains(text, "(known after apply)") {
			t.Errorf("%s does not show what is unknown:\n%s", format, text)
		}
	}
	if text := shown(t, plan)["text"]; !strings.Contains(text, "as ever") {
		t.Errorf("what is known is not shown:\n%s", text)
	}
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var stored stack.Plan
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	wantChanged(t, f.apply(s, &stored), true)
	ip := f.data("backend")["plain"]
	if ip == "" || f.data("backend")["encoded"] != base64.StdEncoding.EncodeToString([]byte(ip)) || f.data("frontend")["api"] != "http://"+ip {
		t.Errorf("applied are %v and %v", f.data("backend"), f.data("frontend"))
	}
	if again := f.plan(s); again.Changed() {
		t.Errorf("it changes again: %s", shown(t, again)["text"])
	}
	f.requests.Reset()
	wantChanged(t, f.apply(s, &stored), false)
	for _, r := range f.requests.Requests() {
		if r.Write() && !r.DryRun() {
			t.Errorf("applied again, it writes %s", r)
		}
	}
}

// A value that turns out to change more than was shown is refused, unless that is
// allowed.
func TestBeyondWhatWasShown(t *testing.T) {
	f := newFixture(t)
	backend := f.member("backend", map[string]string{"a.yaml": configMap("backend", "  host: {{ .Values.host | quote }}\n{{ if hasPrefix \"10.\" .Values.host }}  more: \"yes\"\n{{ end }}")})
	backend.Inputs = stack.Inputs{"host": clusterIP("database").Like("192.0.2.1", "198.51.100.22")}
	s := f.stack(f.member("database", map[string]string{"a.yaml": service}), backend)
	plan := f.plan(s)
	_, err := s.Apply(f.ctx, plan, stack.ApplyOptions{})
	var beyond *stack.BeyondError
	if !errors.As(err, &beyond) || len(beyond.Beyond) != 1 || beyond.Beyond[0].Field.Path != "data" && beyond.Beyond[0].Field.Path != "data.more" {
		t.Fatalf("%v", err)
	}
	if f.data("backend") != nil {
		t.Error("it was applied")
	}
	if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{UnsafeBeyond: true}); err != nil {
		t.Fatal(err)
	}
	if f.data("backend")["more"] != "yes" {
		t.Errorf("applied is %v", f.data("backend"))
	}
}

// Control flow, keys and names that depend on the unknown are shown as unknown.
func TestUnknownShapes(t *testing.T) {
	f := newFixture(t)
	a := configMap("shapes", `  {{ .Values.host }}: key
{{ if .Values.on }}  enabled: "1"
{{ else }}  disabled: "0"
{{ end }}  port: {{ .Values.port | quote }}
`)
	named := configMap("named-{{ .Values.host }}", "  x: z\n")
	maybe := "{{ if .Values.on }}\n" + configMap("maybe", "  x: z\n") + "{{ end }}"
	pod := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 0
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: shop:1
        env: [{name: HOST, value: {{ .Values.host }}}, {name: FIXED, value: "1"}]
        ports: [{containerPort: {{ .Values.port }}}]
`
	user := f.member("user", map[string]string{"a.yaml": a, "b.yaml": named, "c.yaml": maybe, "d.yaml": pod})
	at := diff.Object{Version: "v1", Kind: "Service", Name: "base"}
	user.Inputs = stack.Inputs{
		"host": stack.Field("base", at, "spec.clusterIP"),
		"on":   stack.Func(func(_ context.Context, v []any) (any, error) { return v[0] != "", nil }, clusterIP("base")).Bool(),
		"port": stack.Field("base", at, "spec.ports[0].nodePort").Int(),
	}
	base := strings.Replace(service, "spec: {", "spec: {type: NodePort, ", 1)
	s := f.stack(f.member("base", map[string]string{"a.yaml": base}), user)
	plan := f.plan(s)
	for format, text := range shown(t, plan) {
		if leaked := drawn.FindString(text); leaked != "" {
			t.Errorf("%s shows %q:\n%s", format, leaked, text)
		}
	}
	wantUnknown(t, plan, "user", `ConfigMap data["(known after apply)"]`, "ConfigMap data.port",
		"Deployment spec.template.spec.containers[0].env[0].value", "Deployment spec.template.spec.containers[0].ports[0].containerPort")
	var uncertain []string
	for _, m := range plan.Members {
		for _, o := range m.Uncertain {
			uncertain = append(uncertain, o.Kind+" "+o.Name)
		}
	}
	if !slices.Equal(uncertain, []string{"ConfigMap (known after apply)", "ConfigMap maybe"}) {
		t.Errorf("uncertain are %q", uncertain)
	}
	f.apply(s, plan)
	if got := f.data("shapes"); got["enabled"] != "1" || got["port"] == "" || f.data("maybe") == nil {
		t.Errorf("applied is %v", got)
	}
	if again := f.plan(s); again.Changed() {
		t.Errorf("it changes again: %s", shown(t, again)["text"])
	}
}

// A definition and a namespace that earlier members bring are assumed: custom
// resources are validated by that definition, and marked as local.
func TestAssumedDefinitionAndNamespace(t *testing.T) {
	f := newFixture(t)
	group, later := f.namespace+".example.com", f.namespace+"-later"
	t.Cleanup(func() { f.deleteNamespace(later) })
	definitions := f.member("definitions", map[string]string{"crd.yaml": f.thingDefinition()})
	first := f.member("first", map[string]string{"a.yaml": service})
	first.Release.Namespace, first.Release.CreateNamespace = later, true
	user := f.member("user", map[string]string{"a.yaml": "apiVersion: " + group + "/v1\nkind: Thing\nmetadata: {name: a}\nspec: {size: {{ .Values.size }}, host: {{ .Values.host }}}\n", "b.yaml": service}, "size=3")
	user.Release.Namespace, user.Needs = later, []string{"definitions"}
	user.Inputs = stack.Inputs{"host": clusterIP("first")}
	s := f.stack(definitions, first, user)
	plan := f.plan(s)
	i := slices.IndexFunc(plan.Members, func(m stack.MemberPlan) bool { return m.Member == "user" })
	mp := plan.Members[i]
	changes := mp.Plan.Report.Changes
	if len(mp.Assumed) != 2 || len(changes) != 2 || !changes[0].Local || !changes[1].Local {
		t.Errorf("assumed are %v, and the plan is\n%s", mp.Assumed, shown(t, plan)["text"])
	}
	wantUnknown(t, plan, "user", "Thing spec.host")

	invalid := user
	invalid.Release.Values = values(t, "size=big")
	refused := f.plan(f.stack(definitions, first, invalid))
	var problems *engine.ProblemsError
	if err := refused.Err(); !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemInvalid {
		t.Errorf("%v", err)
	}
	f.apply(s, plan)
	if again := f.plan(s); again.Changed() {
		t.Errorf("it changes again: %s", shown(t, again)["text"])
	}
}

// A password in a generated Secret is passed on, and shown nowhere.
func TestSecretOutput(t *testing.T) {
	f := newFixture(t)
	secret := "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {password: {{ randAlphaNum 24 }}}\n"
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  url: http://me:{{ .Values.password }}@db\n  colour: {{ .Values.colour | default \"red\" }}\n")})
	user.Inputs = stack.Inputs{"password": stack.Field("base", diff.Object{Version: "v1", Kind: "Secret", Name: "base"}, "data.password")}
	s := f.stack(f.member("base", map[string]string{"a.yaml": secret}), user)
	f.apply(s, f.plan(s))
	password := strings.TrimSuffix(strings.TrimPrefix(f.data("user")["url"], "http://me:"), "@db")
	if len(password) != 24 {
		t.Fatalf("applied is %v", f.data("user"))
	}
	user.Release.Values = values(t, "colour=blue")
	user.Release.Source = chart(t, "user", map[string]string{"a.yaml": configMap("user", "  url: http://you:{{ .Values.password }}@db\n  colour: blue\n")})
	changed := f.stack(f.member("base", map[string]string{"a.yaml": secret}), user)
	plan := f.plan(changed)
	for format, text := range shown(t, plan) {
		if strings.Contains(text, password) {
			t.Errorf("%s shows the password:\n%s", format, text)
		}
	}
	f.apply(changed, plan)
}
