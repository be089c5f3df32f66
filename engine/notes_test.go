package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/fairlead-dev/fairlead/engine"
)

const hostileNotes = "Log in with {{ .Values.password }},\nor echo {{ .Values.password | b64enc }} | base64 -d.\n::error::{{ .Release.Name }}\n\x1b]0;owned\x07done\n"

// Notes that print a password, as those of many charts do, are returned without
// it and with nothing that a terminal or a CI system obeys. They are stored as
// they were rendered.
func TestAttackNotes(t *testing.T) {
	f := newFixture(t)
	chart := func(colour string) engine.Release {
		c := f.chart(map[string]string{"secret.yaml": secret, "config.yaml": configMap, "web.yaml": deployment, "NOTES.txt": hostileNotes})
		return f.release(c, "password=canary-Notes-64", "colour="+colour, "replicas=0")
	}
	check := func(what string, rev *engine.Revision, err error) {
		t.Helper()
		if err != nil || rev == nil {
			t.Fatalf("%s: %v", what, err)
		}
		data, err := json.Marshal(rev)
		if err != nil {
			t.Fatal(err)
		}
		f.hides("canary-Notes-64", string(data))
		f.hides("Y2FuYXJ5LU5vdGVzLTY0", string(data))
		if !strings.HasPrefix(rev.Notes, "Log in with [secret ") || strings.ContainsAny(rev.Notes, "\x1b\x07") || strings.Contains(rev.Notes, "\n::") {
			t.Errorf("%s: the notes are %q", what, rev.Notes)
		}
	}
	rev, err := f.engine.Deploy(f.ctx, chart("red"), engine.ApplyOptions{})
	check("install", rev, err)
	rev, err = f.engine.Deploy(f.ctx, chart("red"), engine.ApplyOptions{})
	check("no change", rev, err)
	rev, err = f.engine.Deploy(f.ctx, chart("blue"), engine.ApplyOptions{})
	check("upgrade", rev, err)
	rev, err = f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{})
	check("rollback", rev, err)
	rev, err = f.engine.Rollout(f.ctx, f.key, engine.Rollout{Verb: engine.Pause}, engine.ApplyOptions{})
	check("rollout", rev, err)
	status, err := f.engine.Status(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	check("status", &status.Revision, nil)

	stored, err := storage.Init(driver.NewSecrets(f.client.CoreV1().Secrets(f.namespace))).Get("shop", rev.Revision)
	if err != nil || !strings.HasPrefix(stored.Info.Notes, "Log in with canary-Notes-64,") || !strings.Contains(stored.Info.Notes, "\x1b]0;owned") {
		t.Errorf("helm get notes: %q, %v", stored.Info.Notes, err)
	}

	p, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	rev, err = f.engine.Apply(f.ctx, p, engine.ApplyOptions{KeepHistory: true})
	check("uninstall", rev, err)
	f.hides("canary-Notes-64", f.tell(p, err))
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Error(err)
	}
}
