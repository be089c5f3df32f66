package engine_test

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// kept are the revisions of a namespace, by what they are kept in.
func (f *fixture) kept(namespace string) (secrets, configMaps int) {
	f.Helper()
	opts := metav1.ListOptions{LabelSelector: "owner in (helm,fairlead.dev)"}
	s, err := f.client.CoreV1().Secrets(namespace).List(f.ctx, opts)
	if err != nil {
		f.Fatal(err)
	}
	c, err := f.client.CoreV1().ConfigMaps(namespace).List(f.ctx, opts)
	if err != nil {
		f.Fatal(err)
	}
	return len(s.Items), len(c.Items)
}

// storedElsewhere opens an engine that keeps releases somewhere.
func (f *fixture) storedElsewhere(s engine.Storage) *engine.Engine {
	f.Helper()
	e, err := engine.New(f.config, engine.Options{Storage: s, OnEvent: f.events.add})
	if err != nil {
		f.Fatal(err)
	}
	return e
}

// A release goes through its life wherever it is kept, and nothing of it is kept
// anywhere else.
func TestStoragePlaces(t *testing.T) {
	for name, place := range map[string]func(f *fixture) (s engine.Storage, home string, secrets, configMaps int, elsewhere *testcluster.Recorder){
		"ConfigMaps": func(f *fixture) (engine.Storage, string, int, int, *testcluster.Recorder) {
			return engine.Storage{Driver: engine.StorageConfigMaps}, f.namespace, 0, 3, nil
		},
		"one namespace": func(f *fixture) (engine.Storage, string, int, int, *testcluster.Recorder) {
			home := f.cluster.Namespace(f.T)
			return engine.Storage{Namespace: home}, home, 3, 0, nil
		},
		"ConfigMaps of another cluster": func(f *fixture) (engine.Storage, string, int, int, *testcluster.Recorder) {
			home := f.cluster.Namespace(f.T)
			config, requests := testcluster.Record(f.cluster.Config())
			return engine.Storage{Driver: engine.StorageConfigMaps, Namespace: home, Config: config}, home, 0, 3, requests
		},
		"memory": func(f *fixture) (engine.Storage, string, int, int, *testcluster.Recorder) {
			return engine.Storage{Memory: engine.NewMemoryStorage()}, f.namespace, 0, 0, &testcluster.Recorder{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			s, home, secrets, configMaps, elsewhere := place(f)
			f.engine = f.storedElsewhere(s)
			c := f.chart(map[string]string{"config.yaml": configMap, "secret.yaml": storedSecret})
			f.requests.Reset()
			f.deploy(f.release(c, "password=correct-horse"))
			p, err := f.engine.Plan(f.ctx, f.release(c, "password=battery-staple", "colour=red"), engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			rules, err := p.PolicyRules()
			if err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			var stored engine.Plan
			if err := json.Unmarshal(data, &stored); err != nil {
				t.Fatal(err)
			}
			if keyed := stored.KeyedBy != "" || stored.ValuesDigest != ""; keyed != (s.Driver == engine.StorageSecrets) {
				t.Errorf("the plan is keyed by %q, with the digest %q", stored.KeyedBy, stored.ValuesDigest)
			}
			r := f.release(c, "password=battery-staple", "colour=red")
			if _, err := f.engine.Apply(f.ctx, &stored, engine.ApplyOptions{Release: &r}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			f.wantHistory("1 superseded", "2 superseded", "3 deployed")
			if got, err := f.storedElsewhere(s).Get(f.ctx, f.key, 0); err != nil || got.Revision.Revision != 3 || got.Revision.Namespace != f.namespace {
				t.Errorf("another engine gets %v, %v", got, err)
			}
			listed, err := f.engine.List(f.ctx, engine.ListOptions{Namespace: f.namespace})
			if err != nil || len(listed) != 1 || listed[0].Key != f.key || len(listed[0].Labels) > 0 {
				t.Errorf("listed: %+v, %v", listed, err)
			}
			if a, b := f.kept(home); a != secrets || b != configMaps {
				t.Errorf("%d Secrets and %d ConfigMaps are kept in %s, want %d and %d", a, b, home, secrets, configMaps)
			}
			if home != f.namespace {
				if a, b := f.kept(f.namespace); a+b > 0 {
					t.Errorf("%d Secrets and %d ConfigMaps are kept in the release's namespace", a, b)
				}
			}
			granted := ""
			for _, rule := range rules[home] {
				granted += strings.Join(rule.Resources, ",") + ":" + strings.Join(rule.Verbs, ",") + " "
			}
			if ours := strings.Contains(granted, map[bool]string{true: "configmaps:create", false: "secrets:create"}[s.Driver == engine.StorageConfigMaps]); ours != (elsewhere == nil) {
				t.Errorf("the rules for %s are %s", home, granted)
			}
			if elsewhere != nil {
				if n := f.requests.Count(func(r testcluster.Request) bool {
					return strings.Contains(r.Path, "/leases") || strings.Contains(r.Path, "sh.helm.release")
				}); n > 0 {
					t.Errorf("%d requests for what is kept elsewhere", n)
				}
			}
			if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.engine.History(f.ctx, f.key); !errors.Is(err, engine.ErrReleaseNotFound) {
				t.Errorf("history after the uninstall: %v", err)
			}
			if a, b := f.kept(home); a+b > 0 {
				t.Errorf("%d Secrets and %d ConfigMaps are left", a, b)
			}
		})
	}
}

// Two releases of one name are not mixed up where both would be kept in one
// namespace.
func TestStorageNamespaceIsTaken(t *testing.T) {
	f := newFixture(t)
	e := f.storedElsewhere(engine.Storage{Namespace: f.cluster.Namespace(t)})
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	for i := range 3 { // of which the first one is trimmed
		r.Cause, r.Labels = "again", map[string]string{"deploy": strconv.Itoa(i)}
		if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{History: 2}); err != nil {
			t.Fatal(err)
		}
	}
	r.Namespace = f.cluster.Namespace(t)
	if _, err := e.Deploy(f.ctx, r, engine.ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "is that of a release in namespace "+f.namespace) {
		t.Errorf("a second release of the name: %v", err)
	}
	if listed, err := e.List(f.ctx, engine.ListOptions{}); err != nil || len(listed) != 1 || listed[0].Key != f.key {
		t.Errorf("listed: %v, %v", listed, err)
	}
}

// Of two engines over one memory, only one records each revision.
func TestMemoryStorageIsShared(t *testing.T) {
	f := newFixture(t)
	memory := engine.NewMemoryStorage()
	c := f.chart(map[string]string{"config.yaml": configMap})
	failed := make(chan error)
	for _, colour := range []string{"red", "green", "blue"} {
		e := f.storedElsewhere(engine.Storage{Memory: memory})
		go func() {
			_, err := e.Deploy(f.ctx, f.release(c, "colour="+colour), engine.ApplyOptions{LockTimeout: 60e9})
			failed <- err
		}()
	}
	for range 3 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	f.engine = f.storedElsewhere(engine.Storage{Memory: memory})
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
}

func TestStorageIsChecked(t *testing.T) {
	for name, s := range map[string]engine.Storage{
		"driver":         {Driver: "sql"},
		"namespace":      {Namespace: "a.b"},
		"two places":     {Memory: engine.NewMemoryStorage(), Namespace: "a"},
		"no such memory": {Memory: &engine.MemoryStorage{}},
	} {
		if _, err := engine.New(&rest.Config{}, engine.Options{Storage: s}); !errors.Is(err, engine.ErrInvalidOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
