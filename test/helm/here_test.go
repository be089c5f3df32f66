package helm_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

type values = map[string]any

// Helm shows releases of the engine as its own.
func TestHelmReads(t *testing.T) {
	withEach(t, func(f *fixture) {
		first, second := values{"colour": "red", "extra": true}, values{"colour": "blue", "size": "big"}
		f.deploy(first)
		f.deploy(second)

		listed, err := f.helm.list()
		f.must("helm list", err)
		if len(listed) != 1 || listed[0].Version != 2 || listed[0].Info.Status != "deployed" || listed[0].Namespace != f.namespace {
			t.Errorf("helm list: %+v", listed)
		}
		f.wantHelmHistory("1 superseded Install complete", "2 deployed Upgrade complete")
		for i, given := range []values{first, second} {
			got, err := f.helm.get(i + 1)
			f.must("helm get all", err)
			another, err := f.open() // a dry-run makes it unusable for other operations
			f.must("open Helm", err)
			want, err := another.dryRun(f.ctx, f.folder, given)
			f.must("helm install --dry-run", err)
			if squeezed(got.Manifest) != squeezed(want.Manifest) {
				t.Errorf("helm get manifest --revision %d:\n%s\nwant:\n%s", i+1, got.Manifest, want.Manifest)
			}
			// Helm's dry-run does not know the revision.
			if notes := strings.Replace(want.Info.Notes, "revision 1", fmt.Sprintf("revision %d", i+1), 1); got.Info.Notes != notes {
				t.Errorf("helm get notes --revision %d: %q, want %q", i+1, got.Info.Notes, notes)
			}
			for j := range want.Hooks { // the two versions differ in trailing newlines
				want.Hooks[j].Manifest = strings.TrimSpace(want.Hooks[j].Manifest)
				got.Hooks[j].Manifest = strings.TrimSpace(got.Hooks[j].Manifest)
			}
			if !reflect.DeepEqual(got.Hooks, want.Hooks) {
				t.Errorf("helm get hooks --revision %d:\n%+v\nwant:\n%+v", i+1, got.Hooks, want.Hooks)
			}
			if !reflect.DeepEqual(got.Values, given) {
				t.Errorf("helm get values --revision %d: %v, want %v", i+1, got.Values, given)
			}
			if got.AllValues["colour"] != given["colour"] || got.AllValues["tag"] != "1.0" {
				t.Errorf("helm get values --all --revision %d: %v", i+1, got.AllValues)
			}
			if got.Chart != want.Chart {
				t.Errorf("the chart of revision %d is %+v, want %+v", i+1, got.Chart, want.Chart)
			}
			m := got.Metadata
			if m.Name != "shop" || m.Chart != "shop" || m.Version != "1.2.3" || m.AppVersion != "7" || m.Namespace != f.namespace || m.Revision != i+1 {
				t.Errorf("helm get metadata --revision %d: %+v", i+1, m)
			}
			if m.ApplyMethod != "" && m.ApplyMethod != "csa" {
				t.Errorf("helm get metadata --revision %d: apply method %q", i+1, m.ApplyMethod)
			}
		}
	})
}

// Helm rolls back, upgrades and uninstalls releases of the engine, and the
// engine continues in between.
func TestHelmContinues(t *testing.T) {
	withEach(t, func(f *fixture) {
		f.deploy(values{"colour": "red", "extra": true})
		f.deploy(values{"colour": "blue", "size": "big", "tag": "2.0"})

		f.must("helm rollback", f.helm.rollback(1))
		f.wantConfig("shop-config", data("colour", "red"))
		f.wantConfig("shop-extra", data("extra", "yes"))
		f.wantImage("shop:1.0")
		f.wantSettled(values{"colour": "red", "extra": true})

		f.must("helm upgrade", f.helm.upgrade(f.ctx, f.folder, values{"size": "small", "extra": false, "tag": "3.0", "port": 81}))
		f.wantConfig("shop-config", data("colour", "red", "size", "small"))
		f.wantConfig("shop-extra", nil)
		f.wantImage("shop:3.0")
		f.wantSettled(values{"colour": "red", "size": "small", "extra": false, "tag": "3.0", "port": 81})
		f.wantHistory("1 superseded", "2 superseded", "3 superseded", "4 deployed")

		f.deploy(values{"colour": "green", "tag": "5.0", "port": 82})
		f.wantConfig("shop-config", data("colour", "green"))
		f.wantImage("shop:5.0")
		f.wantSettled(values{"colour": "green", "tag": "5.0", "port": 82})

		f.must("helm upgrade, again", f.helm.upgrade(f.ctx, f.folder, values{"colour": "grey"}))
		f.wantConfig("shop-config", data("colour", "grey"))
		f.wantImage("shop:5.0")
		f.wantHelmHistory("1 superseded Install complete", "2 superseded Upgrade complete", "3 superseded Rollback to 1",
			"4 superseded Upgrade complete", "5 superseded Upgrade complete", "6 deployed Upgrade complete")

		f.must("helm uninstall", f.helm.uninstall())
		f.wantGone()
	})
}

func data(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// squeezed removes empty lines, in which the versions differ.
func squeezed(manifest string) string {
	lines := strings.FieldsFunc(manifest, func(r rune) bool { return r == '\n' })
	return strings.Join(lines, "\n")
}

// wantHelmHistory checks the output of helm history.
func (f *fixture) wantHelmHistory(want ...string) {
	f.Helper()
	history, err := f.helm.history()
	f.must("helm history", err)
	var got []string
	for _, r := range history {
		got = append(got, fmt.Sprintf("%d %s %s", r.Version, r.Info.Status, r.Info.Description))
	}
	if !reflect.DeepEqual(got, want) {
		f.Errorf("helm history: %q, want %q", got, want)
	}
}

// wantHistory checks the engine's history.
func (f *fixture) wantHistory(want ...string) {
	f.Helper()
	revisions, err := f.engine.History(f.ctx, f.key)
	f.must("history", err)
	var got []string
	for _, r := range revisions {
		got = append(got, fmt.Sprintf("%d %s", r.Revision, r.Status))
	}
	if !reflect.DeepEqual(got, want) {
		f.Errorf("history: %q, want %q", got, want)
	}
}
