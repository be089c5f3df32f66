package engine_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// One call has options of its own: its rules, its receiver of events, its
// allow-list. The other calls are as they were, and discovery is not read again.
func TestWithOtherOptions(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	f.deploy(r)
	f.plan(f.release(r.Source, "colour=blue")) // which reads the schemas
	discovery := func() (n int) {
		for path := range f.requests.Paths() {
			if strings.Contains(path, "/openapi/") || strings.HasSuffix(path, "/apis") || strings.HasSuffix(path, "/version") {
				n++
			}
		}
		return n
	}
	f.requests.Reset()
	never := engine.ReadyRule{Kind: "ConfigMap", Ready: "false", Failed: "true"}
	var own []engine.Event
	judged, err := f.engine.With(func(o *engine.Options) {
		o.Rules = append(o.Rules, never)
		o.OnEvent = func(e engine.Event) { own = append(own, e) }
	})
	if err != nil {
		t.Fatal(err)
	}
	changed := f.release(r.Source, "colour=red")
	f.events.take()
	var notReady *engine.NotReadyError
	if _, err := judged.Deploy(f.ctx, changed, engine.ApplyOptions{}); !errors.As(err, &notReady) {
		t.Errorf("with its own rule: %v", err)
	}
	if len(own) == 0 || len(f.events.take()) > 0 {
		t.Errorf("it got %d events, the engine some too", len(own))
	}
	fenced, err := f.engine.With(func(o *engine.Options) {
		o.Allow = func(engine.Access) error { return errors.New("not today") }
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fenced.Deploy(f.ctx, changed, engine.ApplyOptions{}); !errors.Is(err, engine.ErrNotAllowed) {
		t.Errorf("with its own allow-list: %v", err)
	}
	if len(f.events.take()) == 0 {
		t.Error("without a receiver of its own, its events go nowhere")
	}
	f.deploy(changed)
	if n := discovery(); n > 0 {
		t.Errorf("discovery was read again: %v", f.requests.Paths())
	}
	for what, change := range map[string]func(*engine.Options){
		"no function": nil, "an unknown policy": func(o *engine.Options) { o.CRDs = "Sometimes" },
	} {
		if _, err := f.engine.With(change); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
}

// The events of calls that run at once can be told apart.
func TestEventsNameTheirCall(t *testing.T) {
	f := newFixture(t)
	var group sync.WaitGroup
	for i := range 3 {
		r := f.release(f.chart(map[string]string{"a.yaml": strings.ReplaceAll(configMap, "shop-config", fmt.Sprintf("config-%d", i))}))
		r.Name = fmt.Sprintf("shop-%d", i)
		group.Go(func() {
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil {
				t.Error(err)
			}
			if _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	releases := map[string]engine.Key{}
	for _, e := range f.events.take() {
		call := callOf(t, e)
		if was, ok := releases[call]; call == "" || ok && was != e.Release() {
			t.Errorf("call %q of %s has an event of %s: %s", call, was, e.Release(), e)
		}
		releases[call] = e.Release()
	}
	if len(releases) != 6 {
		t.Errorf("six calls have %d ids", len(releases))
	}
}

func callOf(t *testing.T, e engine.Event) string {
	t.Helper()
	switch e := e.(type) {
	case engine.Started:
		return e.Call
	case engine.Planned:
		return e.Call
	case engine.Recorded:
		return e.Call
	case engine.Applied:
		return e.Call
	case engine.Ready:
		return e.Call
	case engine.Ended:
		return e.Call
	}
	t.Errorf("an event of another kind: %T", e)
	return ""
}

// A log of level info has no lines of calls that only read.
func TestLogOfReadsIsQuiet(t *testing.T) {
	f := newFixture(t)
	var log strings.Builder
	e, err := f.engine.With(func(o *engine.Options) { o.OnEvent = engine.LogEvents(slog.New(slog.NewTextHandler(&log, nil))) })
	if err != nil {
		t.Fatal(err)
	}
	r := f.release(f.chart(map[string]string{"a.yaml": configMap}))
	read := func() {
		if _, err := e.Plan(f.ctx, r, engine.PlanOptions{}); err != nil {
			t.Error(err)
		}
	}
	read()
	if log.Len() > 0 {
		t.Errorf("it says %s", log.String())
	}
	if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "call=") || !strings.Contains(log.String(), "event=planned") {
		t.Errorf("of a deploy it says %s", log.String())
	}
	log.Reset()
	read()
	if log.Len() > 0 {
		t.Errorf("it says %s", log.String())
	}
}

func TestHeadlines(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"a.yaml": configMap, "b.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 99999}]}\n"}))
	_, refused := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
	_, unread := f.newEngine(f.cluster.User(t, f.namespace)).Status(f.ctx, f.key)
	missing := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{})
	for _, c := range []struct {
		err  error
		says string
	}{
		{nil, ""},
		{refused, "spec.ports[0].port"},
		{unread, "secrets"},
		{missing, "release not found"},
		{errors.New("a\nb\x1b[31m" + strings.Repeat("c", 1000)), "a: b"},
	} {
		text := engine.Headline(c.err)
		if !strings.Contains(text, c.says) || len([]rune(text)) > 300 || strings.ContainsAny(text, "\n\x1b") || (c.says == "") != (text == "") {
			t.Errorf("the headline of %v is %q", c.err, text)
		}
	}
	if err := engine.IgnoreNotFound(missing); err != nil {
		t.Error(err)
	}
	if err := engine.IgnoreNotFound(refused); err != refused { // the very error
		t.Error(err)
	}
}

// The checks of a chart's own are chosen by release.
func TestReleasesChooseTheirChecks(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{
		"a.yaml":             "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {size: {{ .Values.size | quote }}, none: {{ .Values.none | quote }}}\n",
		"values.schema.json": `{"type": "object", "properties": {"size": {"type": "integer"}}}`,
	})
	r := f.release(chart, "size=large")
	plan := func() error { _, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{}); return err }
	if err := plan(); err == nil || !strings.Contains(err.Error(), "size") {
		t.Errorf("with the schema: %v", err)
	}
	r.SkipSchema = true
	if err := plan(); err != nil {
		t.Error(err)
	}
	r.Strict = true
	if err := plan(); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("strict: %v", err)
	}
	r = f.release(f.chart(map[string]string{"a.yaml": "{{ mustToYaml (dict \"apiVersion\" \"v1\" \"kind\" \"ConfigMap\" \"metadata\" (dict \"name\" \"a\")) }}"}))
	if err := plan(); err == nil || !strings.Contains(err.Error(), "mustToYaml") {
		t.Errorf("by the rules of Helm 3: %v", err)
	}
	r.Helm = render.Helm4
	if err := plan(); err != nil {
		t.Errorf("by the rules of Helm 4: %v", err)
	}
}

// The options that a change gets are its own: what it does with their lists changes
// neither engine, nor the caller's.
func TestWithChangesNoListsOfOthers(t *testing.T) {
	given := engine.Options{
		Rules:     []engine.ReadyRule{{Group: "example.com", Kind: "Queue", Ready: "true"}},
		Ownership: []engine.Ownership{{Path: "spec.replicas"}}, FormerManagers: []string{"helm"},
		Replace: []engine.Replace{{Kind: "Job"}}, PlanKey: planKey,
		As: rest.ImpersonationConfig{UserName: "ann", Groups: []string{"a"}, Extra: map[string][]string{"a": {"b"}}},
	}
	e, err := engine.New(&rest.Config{Host: "https://127.0.0.1:1"}, given)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err = e.With(func(o *engine.Options) {
			if r := o.Rules[0]; r.Kind != "Queue" || o.Ownership[0].Path != "spec.replicas" || o.FormerManagers[0] != "helm" ||
				o.Replace[0].Kind != "Job" || o.PlanKey[0] != 'k' || o.As.Groups[0] != "a" || o.As.Extra["a"][0] != "b" {
				t.Errorf("changed by another: %v", *o)
			}
			o.Rules[0].Kind, o.Ownership[0].Path, o.FormerManagers[0], o.Replace[0].Kind, o.PlanKey[0] = "Other", "data", "other", "Pod", 'x'
			o.As.Groups[0], o.As.Extra["a"][0] = "other", "other"
		})
		if err != nil {
			t.Error(err)
		}
	}
	if given.Rules[0].Kind != "Queue" || given.As.Groups[0] != "a" || given.As.Extra["a"][0] != "b" || planKey[0] != 'k' {
		t.Errorf("the caller's were changed: %v", given)
	}
}
