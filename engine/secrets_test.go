package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

const secret = `
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-secret}
stringData: {password: {{ .Values.password | quote }}}
`

const user = `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-url}
data: {url: "postgres://app:{{ .Values.password }}@db/app"}
`

// envUser has a Secret's value in a connection string in an environment
// variable.
const envUser = `
apiVersion: batch/v1
kind: CronJob
metadata: {name: {{ .Release.Name }}-env}
spec:
  schedule: "0 0 1 1 *"
  suspend: true
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{
    name: a, image: a, env: [{name: DATABASE_URL, value: "postgres://app:{{ .Values.password }}@db:5432/app?sslmode=require"}]}]}}}}
`

// A Secret's value is in nothing that the engine returns, even if it was copied
// into another object or the API server repeats it.
func TestSecretsNeverShow(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"secret.yaml": secret, "user.yaml": user, "env.yaml": envUser})
	var out bytes.Buffer
	show := func(p *engine.Plan, err error) {
		t.Helper()
		fmt.Fprintln(&out, err)
		if p == nil {
			return
		}
		for _, write := range []func() error{
			func() error { return p.Report.WriteText(&out, diff.TextOptions{Verbose: true}) },
			func() error { return p.Report.WriteMarkdown(&out, diff.MarkdownOptions{}) },
			func() error { return p.Report.WriteHTML(&out, diff.HTMLOptions{}) },
			func() error { return json.NewEncoder(&out).Encode(p) },
		} {
			if err := write(); err != nil {
				t.Error(err)
			}
		}
	}
	first, second := f.release(c, "password=canary-One-41"), f.release(c, "password=canary-Two-42")
	show(f.engine.Plan(f.ctx, first, engine.PlanOptions{}))
	f.deploy(first)
	show(f.engine.Plan(f.ctx, second, engine.PlanOptions{}))
	show(f.engine.Plan(f.ctx, second, engine.PlanOptions{DryRun: engine.DryRunNone}))
	f.deploy(second)
	show(f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{}))
	show(f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{}))

	// The API server's message repeats the value.
	bad := strings.Replace(secret, "stringData: {password", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson", 1)
	bad = strings.Replace(bad, "-secret", "-bad", 1)
	invalid := strings.Replace(user, "-url}", "-url2}", 1)
	invalid = strings.Replace(invalid, "data: {url", `metadata: {name: x, labels: {a: "{{ .Values.password }} is no label"}}`+"\n"+"data: {url", 1)
	invalid = strings.Replace(invalid, "metadata: {name: {{ .Release.Name }}-url2}\n", "", 1)
	third := f.release(f.chart(map[string]string{"secret.yaml": secret, "bad.yaml": bad, "invalid.yaml": invalid}), "password=canary-Three-43")
	show(f.engine.Plan(f.ctx, third, engine.PlanOptions{}))
	_, err := f.engine.Deploy(f.ctx, third, engine.ApplyOptions{})
	if err == nil {
		t.Error("the invalid object was not refused")
	}
	fmt.Fprintln(&out, err)

	for _, e := range f.events.take() {
		fmt.Fprintln(&out, e)
	}
	history, err := f.engine.History(f.ctx, f.key)
	fmt.Fprintln(&out, history, err)
	for _, canary := range []string{"canary-One-41", "canary-Two-42", "canary-Three-43", "Y2FuYXJ5L"} {
		if at := strings.Index(out.String(), canary); at >= 0 {
			t.Errorf("%s is shown: …%s…", canary, out.String()[max(0, at-200):min(out.Len(), at+50)])
		}
	}
	if !strings.Contains(out.String(), "shop-secret") {
		t.Error("nothing was shown")
	}
}
