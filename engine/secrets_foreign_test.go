package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// foreign creates a Secret that no release has.
func (f *fixture) foreign(name, password string) {
	f.Helper()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"password": password}}
	if _, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, s, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
}

// tell returns all that a plan and the events show.
func (f *fixture) tell(p *engine.Plan, errs ...error) string {
	f.Helper()
	var out bytes.Buffer
	for _, err := range errs {
		fmt.Fprintln(&out, err)
	}
	if p != nil {
		fmt.Fprintln(&out, p.Err())
		for _, write := range []func() error{
			func() error { return p.Report.WriteText(&out, diff.TextOptions{Verbose: true}) },
			func() error { return p.Report.WriteMarkdown(&out, diff.MarkdownOptions{Verbose: true}) },
			func() error { return p.Report.WriteHTML(&out, diff.HTMLOptions{}) },
			func() error { return json.NewEncoder(&out).Encode(p) },
		} {
			if err := write(); err != nil {
				f.Error(err)
			}
		}
	}
	for _, e := range f.events.take() {
		data, err := engine.MarshalEvent(e)
		fmt.Fprintln(&out, e, string(data), err)
	}
	return out.String()
}

func (f *fixture) hides(canary, out string) {
	f.Helper()
	if at := strings.Index(out, canary); at >= 0 {
		f.Errorf("%s is shown: …%s…", canary, out[max(0, at-300):min(len(out), at+50)])
	}
}

// What lookup read from a Secret of another release is hidden in plans, and in
// the errors of templates.
func TestAttackSecretOfLookup(t *testing.T) {
	f := newFixture(t)
	const canary = "canary-Lookup-61"
	f.foreign("theirs", canary)
	const read = `{{ $s := (lookup "v1" "Secret" .Release.Namespace "theirs").data.password | b64dec }}`
	const list = `{{ $s := "" }}{{ range (lookup "v1" "Secret" .Release.Namespace "").items }}{{ if eq .metadata.name "theirs" }}{{ $s = .data.password | b64dec }}{{ end }}{{ end }}`
	for name, look := range map[string]string{"one": read, "list": list} {
		c := f.chart(map[string]string{"user.yaml": look + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c-" + name + "}\ndata: {url: \"redis://:{{ $s }}@cache\", plain: {{ $s | b64enc }}}\n"})
		p, err := f.engine.Plan(f.ctx, f.release(c), engine.PlanOptions{})
		out := f.tell(p, err)
		if p == nil || !strings.Contains(out, "c-"+name) {
			t.Fatalf("no plan: %s", out)
		}
		f.hides(canary, out)
		f.hides("Y2FuYXJ5LUxvb2t1cC02MQ", out)
		// The plan of Apply is made of what was rendered before.
		_, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		f.hides(canary, f.tell(nil, err))
	}
	broken := f.chart(map[string]string{"user.yaml": read + "{{ fail (printf \"bad %s\" $s) }}"})
	_, err := f.engine.Plan(f.ctx, f.release(broken), engine.PlanOptions{})
	if err == nil {
		t.Fatal("no error")
	}
	f.hides(canary, f.tell(nil, err))
}

// A pod that fails repeats a Secret that it uses, and that the release does not
// have: as a variable, a file, or for its image.
func TestAttackSecretThatPodsUse(t *testing.T) {
	for name, use := range map[string]string{
		"variable":  "        env: [{name: A, valueFrom: {secretKeyRef: {name: theirs, key: password}}}]\n        image:",
		"variables": "        envFrom: [{secretRef: {name: theirs}}]\n        image:",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			const canary = "canary-Pods-62"
			f.foreign("theirs", canary)
			text := strings.Replace(behaving("config-error"), "{fairlead.dev/pod", `{fairlead.dev/message: 'cannot log in with `+canary+`', fairlead.dev/pod`, 1)
			c := f.chart(map[string]string{"web.yaml": strings.Replace(text, "        image:", use, 1)})
			_, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{Timeout: time.Minute, FailurePolicy: engine.FailurePolicy{Config: time.Second}})
			if err == nil || !strings.Contains(err.Error(), "cannot log in with [secret") {
				t.Fatalf("%v", err)
			}
			f.hides(canary, f.tell(nil, err))
			status, err := f.engine.Status(f.ctx, f.key)
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(status)
			if err != nil || !strings.Contains(string(data), "cannot log in with [secret") {
				t.Errorf("status %s, %v", data, err)
			}
			f.hides(canary, string(data))
			history, err := f.engine.History(f.ctx, f.key)
			f.hides(canary, fmt.Sprint(history, err))
		})
	}
}

// A pod that fails repeats the Secret of a hook, and Status shows that.
func TestAttackSecretOfAHookInStatus(t *testing.T) {
	f := newFixture(t)
	const canary = "canary-Hook-63"
	text := strings.Replace(behaving("config-error"), "{fairlead.dev/pod", `{fairlead.dev/message: 'cannot log in with {{ .Values.password }}', fairlead.dev/pod`, 1)
	hook := strings.Replace(secret, "-secret}", "-secret, annotations: {helm.sh/hook: pre-install}}", 1)
	c := f.chart(map[string]string{"web.yaml": text, "secret.yaml": hook})
	_, err := f.engine.Deploy(f.ctx, f.release(c, "password="+canary), engine.ApplyOptions{Timeout: time.Minute, FailurePolicy: engine.FailurePolicy{Config: time.Second}})
	f.hides(canary, f.tell(nil, err))
	status, err := f.engine.Status(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(status)
	if err != nil || !strings.Contains(string(data), "cannot log in with [secret") {
		t.Errorf("status %s, %v", data, err)
	}
	f.hides(canary, string(data))
}
