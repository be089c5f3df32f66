package engine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// wantOrderly checks the events of one call against the documentation of Event,
// and returns them and the outcome of each object.
func (f *fixture) wantOrderly(p *engine.Plan) (events []engine.Event, outcomes map[diff.Object]string) {
	f.Helper()
	events = f.events.take()
	said := false
	say := func(format string, args ...any) {
		f.Helper()
		if said {
			f.Errorf(format, args...)
			return
		}
		said = true
		var all []string
		for _, e := range events {
			all = append(all, e.String())
		}
		f.Errorf(format+"\n%s", append(args, strings.Join(all, "\n"))...)
	}
	if len(events) < 2 {
		say("%d events", len(events))
		return events, nil
	}
	if _, ok := events[0].(engine.Started); !ok {
		say("the first is a %T", events[0])
	}
	if _, ok := events[len(events)-1].(engine.Ended); !ok {
		say("the last is a %T", events[len(events)-1])
	}
	outcomes = map[diff.Object]string{}
	waits := map[diff.Object]bool{} // true: its Ready or Unready is missing
	settle := func(o diff.Object, what string) {
		if was := outcomes[o]; was != "" {
			say("%s was %s and is %s", o, was, what)
		}
		outcomes[o] = what
	}
	var hook diff.Object
	for i, e := range events {
		switch e := e.(type) {
		case engine.Started:
			if i > 0 {
				say("started again at %d", i)
			}
		case engine.Ended:
			if i < len(events)-1 {
				say("ended at %d", i)
			}
		case engine.Applied:
			settle(e.Object, "Applied")
		case engine.Kept:
			settle(e.Object, "Kept")
		case engine.Failed:
			settle(e.Object, "Failed")
		case engine.Skipped:
			settle(e.Object, "Skipped")
		case engine.Waiting:
			if e.Object != hook && outcomes[e.Object] != "Applied" {
				say("%s is waited for and was not applied", e.Object)
			}
			waits[e.Object] = true
		case engine.Trouble:
			if !waits[e.Object] {
				say("%s is in trouble and not waited for", e.Object)
			}
		case engine.Ready:
			if !waits[e.Object] {
				say("%s is ready and was not waited for", e.Object)
			}
			waits[e.Object] = false
		case engine.Unready:
			waits[e.Object] = false
		case engine.HookStarted:
			hook = e.Object
		case engine.HookEnded:
			if hook != e.Object {
				say("hook %s ended, %s had started", e.Object, hook)
			}
			hook = diff.Object{}
			waits[e.Object] = false
		}
	}
	for o, more := range waits {
		if more {
			say("%s has no terminal event", o)
		}
	}
	for _, c := range p.Report.Changes {
		if outcomes[c.Object] == "" {
			say("%s has no event", c.Object)
		}
		delete(outcomes, c.Object)
		outcomes[c.Object] = "planned"
	}
	for o, what := range outcomes {
		if what != "planned" {
			say("%s has an event and is not planned", o)
		}
	}
	return events, outcomes
}

// Whatever happens to a call, its events are in order, and every planned object
// has exactly one terminal event.
func TestEventsAreInOrderWhateverHappens(t *testing.T) {
	config := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, annotations: {helm.sh/resource-policy: %s}}\ndata: {n: {{ .Values.n | default \"1\" | quote }}}\n"
	templates := map[string]string{"web.yaml": deployment, "hook.yaml": fmt.Sprintf(job, "pre-upgrade", 0, "before-hook-creation")}
	for i := range 6 {
		templates[fmt.Sprintf("c%d.yaml", i)] = fmt.Sprintf(config, fmt.Sprintf("c%d", i), "delete")
	}
	templates["kept.yaml"] = fmt.Sprintf(config, "kept", "keep")
	fewer := map[string]string{"c0.yaml": templates["c0.yaml"], "c1.yaml": templates["c1.yaml"], "c2.yaml": templates["c2.yaml"], "web.yaml": templates["web.yaml"], "hook.yaml": templates["hook.yaml"]}

	// refuse fails writes of one object with an error, and block blocks them until
	// their context ends.
	refuse := func(path string) testcluster.Fault {
		return func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, path) && r.URL.Query().Get("dryRun") == "" {
				return nil, errors.New("refused by the test")
			}
			return nil, nil
		}
	}
	block := func(cancel context.CancelFunc, method, path string) testcluster.Fault {
		return func(r *http.Request) (*http.Response, error) {
			if r.Method == method && strings.HasSuffix(r.URL.Path, path) && r.URL.Query().Get("dryRun") == "" {
				cancel()
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return nil, nil
		}
	}
	cases := map[string]struct {
		fault   func(context.CancelFunc) testcluster.Fault
		set     []string
		chart   map[string]string // of the second revision
		timeout time.Duration
		fails   bool
	}{
		"all is well":           {chart: templates, set: []string{"n=2"}},
		"nothing to do":         {chart: templates},
		"objects are removed":   {chart: fewer},
		"an object fails":       {chart: templates, set: []string{"n=2"}, fails: true, fault: func(context.CancelFunc) testcluster.Fault { return refuse("/configmaps/c3") }},
		"a removal fails":       {chart: fewer, fails: true, fault: func(c context.CancelFunc) testcluster.Fault { return block(c, http.MethodDelete, "/configmaps/c3") }},
		"cancelled at a write":  {chart: templates, set: []string{"n=2"}, fails: true, fault: func(c context.CancelFunc) testcluster.Fault { return block(c, http.MethodPatch, "/configmaps/c3") }},
		"the hook fails":        {chart: templates, set: []string{"n=2", `jobAnnotations.fairlead\.dev/pod=crash-loop`}, fails: true},
		"it does not get ready": {chart: templates, set: []string{`podAnnotations.fairlead\.dev/pod=image-pull-error`}, fails: true},
		"the time is up":        {chart: templates, set: []string{`podAnnotations.fairlead\.dev/pod=never-ready`}, timeout: 3 * time.Second, fails: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.deploy(f.release(f.chart(templates)))
			r := f.release(f.chart(c.chart), c.set...)
			p := f.plan(r)
			ctx, cancel := context.WithCancel(f.ctx)
			defer cancel()
			if c.fault != nil {
				f.engine = f.newEngine(testcluster.Inject(f.cluster.Config(), c.fault(cancel)))
			}
			f.events.take()
			_, err := f.engine.Deploy(ctx, r, engine.ApplyOptions{Timeout: c.timeout, FailurePolicy: engine.FailurePolicy{ImagePull: time.Second}})
			if (err != nil) != c.fails {
				t.Fatal(err)
			}
			events, _ := f.wantOrderly(p)
			end, _ := events[len(events)-1].(engine.Ended)
			if !errors.Is(end.Err, err) || end.Operation != engine.OperationDeploy || end.Took <= 0 {
				t.Errorf("%+v, returned %v", end, err)
			}
			f.engine = f.newEngine(f.cluster.Config())
			u, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			f.events.take()
			if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoHooks: true}); err != nil {
				t.Fatal(err)
			}
			f.wantOrderly(u)
		})
	}
}
