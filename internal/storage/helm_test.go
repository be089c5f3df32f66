package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/release"
	helmstorage "helm.sh/helm/v3/pkg/storage"
	"helm.sh/helm/v3/pkg/storage/driver"
	helmtime "helm.sh/helm/v3/pkg/time"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// helm is Helm 3's own code over the namespace of a shelf.
func (s *shelf) helm() *action.Configuration {
	s.t.Helper()
	flags := genericclioptions.NewConfigFlags(false).WithWrapConfigFn(func(*rest.Config) *rest.Config { return rest.CopyConfig(s.cfg) })
	flags.Namespace = &s.ns
	server := s.cfg.Host
	flags.APIServer = &server // so that no kubeconfig is asked for
	cfg := &action.Configuration{}
	if err := cfg.Init(flags, s.ns, "secrets", func(string, ...any) {}); err != nil {
		s.t.Fatal(err)
	}
	return cfg
}

// helmStorage is Helm 3's storage alone.
func (s *shelf) helmStorage() *helmstorage.Storage {
	return helmstorage.Init(driver.NewSecrets(s.secrets.CoreV1().Secrets(s.ns)))
}

func TestHelmReadsOurs(t *testing.T) {
	s := newShelf(t)
	records := s.create(StatusSuperseded, StatusPendingUpgrade)
	records[1].Status, records[1].Description = StatusDeployed, "Upgrade complete"
	if err := s.Update(s.ctx, records[1]); err != nil {
		t.Fatal(err)
	}
	cfg := s.helm()

	history, err := action.NewHistory(cfg).Run("shop")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range history {
		lines = append(lines, fmt.Sprintf("%d %s %s-%s %s | %s", r.Version, r.Info.Status, r.Chart.Metadata.Name, r.Chart.Metadata.Version, r.Chart.Metadata.AppVersion, r.Info.Description))
	}
	slices.Sort(lines)
	want := []string{
		"1 superseded shop-1.2.3 9 | Upgrade in progress — ticket 7: raise the limit",
		"2 deployed shop-1.2.3 9 | Upgrade complete — ticket 7: raise the limit",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("helm history (-want +got):\n%s", d)
	}

	list := action.NewList(cfg)
	list.SetStateMask()
	releases, err := list.Run()
	if err != nil || len(releases) != 1 || releases[0].Version != 2 {
		t.Errorf("helm list: %v, %v", releases, err)
	}

	values := action.NewGetValues(cfg)
	got, err := values.Run("shop")
	if d := cmp.Diff(map[string]any{"replicas": 3.0, "nested": map[string]any{"a": []any{"b", true, nil}}}, got); d != "" || err != nil {
		t.Errorf("helm get values (-want +got):\n%s%v", d, err)
	}
	values.AllValues = true
	if got, err = values.Run("shop"); err != nil || got["image"] != "shop" {
		t.Errorf("helm get values --all: %v, %v", got, err)
	}

	r, err := action.NewGet(cfg).Run("shop")
	if err != nil {
		t.Fatal(err)
	}
	record := s.record(2, StatusDeployed)
	if r.Manifest != record.Manifest.String() || r.Info.Notes != record.Notes || r.Namespace != s.ns || len(r.Hooks) != 1 || r.Labels["team"] != "shop" {
		t.Errorf("helm get all: %+v", r)
	}
	hook := r.Hooks[0]
	if hook.Weight != -5 || hook.Events[0] != release.HookPreUpgrade || hook.DeletePolicies[0] != release.HookSucceeded || hook.OutputLogPolicies[0] != release.HookOutputOnFailed || hook.LastRun.Phase != release.HookPhaseSucceeded {
		t.Errorf("hook: %+v", hook)
	}
	var names []string
	for _, f := range append(r.Chart.Templates, r.Chart.Files...) {
		names = append(names, f.Name)
	}
	slices.Sort(names)
	if d := cmp.Diff([]string{"README.md", "seed.sql", "templates/deployment.yaml", "templates/tests/ping.yaml", "unused.bin"}, names); d != "" {
		t.Errorf("chart (-want +got):\n%s", d)
	}
	if !r.Info.LastDeployed.Time.Equal(record.LastDeployed) || !r.Info.Deleted.IsZero() {
		t.Errorf("times: %+v", r.Info)
	}
}

// What Helm does to the stored form when it goes on from a revision of ours:
// it marks it superseded, and drops what it does not know.
func TestAfterHelmWroteOurs(t *testing.T) {
	s := newShelf(t)
	s.create(StatusDeployed)
	store := s.helmStorage()
	r, err := store.Deployed("shop")
	if err != nil {
		t.Fatal(err)
	}
	r.Info.Status = release.StatusSuperseded
	if err := store.Update(r); err != nil {
		t.Fatal(err)
	}
	got := s.get(1)
	want := s.record(1, StatusSuperseded)
	want.Chart.Files = nil // and no apply method: Helm 3 does not know it
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("read after Helm (-want +got):\n%s", d)
	}
	metas, err := s.HistoryMeta(s.ctx, s.ns, "shop")
	if err != nil || len(metas) != 1 || metas[0].Annotated || metas[0].Status != StatusSuperseded {
		t.Errorf("metadata: %+v, %v", metas, err)
	}
	got.Status = StatusFailed
	if err := s.Update(s.ctx, got); err != nil {
		t.Errorf("update after Helm: %v", err)
	}
}

func helmRelease(ns string) *release.Release {
	at := helmtime.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	return &release.Release{
		Name: "shop", Namespace: ns, Version: 1, Labels: map[string]string{"team": "shop"},
		Info:     &release.Info{Status: release.StatusDeployed, Description: "Install complete", FirstDeployed: at, LastDeployed: at, Notes: "n"},
		Config:   map[string]any{"a": map[string]any{"b": 1.0}},
		Manifest: "---\n# Source: c/templates/x.yaml\nkind: ConfigMap\n",
		Chart: &chart.Chart{
			Metadata:  &chart.Metadata{APIVersion: "v2", Name: "c", Version: "0.1.0", AppVersion: "2"},
			Templates: []*chart.File{{Name: "templates/x.yaml", Data: []byte("kind: ConfigMap")}},
			Values:    map[string]any{"v": "w"},
		},
		Hooks: []*release.Hook{{Name: "h", Kind: "Job", Path: "c/templates/h.yaml", Events: []release.HookEvent{release.HookTest}, OutputLogPolicies: []release.HookOutputLogPolicy{release.HookOutputOnFailed}}},
	}
}

func TestWeReadHelms(t *testing.T) {
	s := newShelf(t)
	store := s.helmStorage()
	theirs := helmRelease(s.ns)
	if err := store.Create(theirs); err != nil {
		t.Fatal(err)
	}

	got := s.get(1)
	want := &Record{
		Name: "shop", Namespace: s.ns, Revision: 1, Status: StatusDeployed, Description: "Install complete",
		FirstDeployed: theirs.Info.FirstDeployed.Time, LastDeployed: theirs.Info.LastDeployed.Time,
		Chart: Chart{Name: "c", Version: "0.1.0", AppVersion: "2"}, Values: theirs.Config, Manifest: TextOf(theirs.Manifest),
		Hooks: []Hook{{Name: "h", Kind: "Job", Path: "c/templates/h.yaml", Events: []string{"test"}, OutputLogPolicies: []string{"hook-failed"}}},
		Notes: "n", Labels: map[string]string{"team": "shop"}, Recorder: "storage.test",
	}
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("what Helm stored (-want +got):\n%s", d)
	}

	// Superseded by us, as when we go on from it: but for that, Helm reads what
	// it wrote.
	got.Status = StatusSuperseded
	if err := s.Update(s.ctx, got); err != nil {
		t.Fatal(err)
	}
	next := got.Again(2)
	next.Status, next.Description, next.LastDeployed = StatusDeployed, "Rollback to 1", time.Now()
	if err := s.Create(s.ctx, next); err != nil {
		t.Fatal(err)
	}
	back, err := store.Get("shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Info.Status = release.StatusSuperseded
	if d := cmp.Diff(theirs, back, cmp.AllowUnexported(chart.Chart{})); d != "" {
		t.Errorf("what Helm reads back (-wrote +read):\n%s", d)
	}
	deployed, err := store.DeployedAll("shop")
	if err != nil || len(deployed) != 1 || deployed[0].Version != 2 || deployed[0].Manifest != theirs.Manifest || deployed[0].Hooks[0].OutputLogPolicies[0] != release.HookOutputOnFailed {
		t.Errorf("what Helm finds deployed: %+v, %v", deployed, err)
	}
}

// Helm's upgrade, rollback and uninstall go on from a revision of ours on the
// cluster itself.
func TestHelmGoesOnFromOurs(t *testing.T) {
	s := newShelf(t)
	const template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  color: {{ .Values.color }}\n  size: {{ .Values.size | quote }}\n"
	r := s.record(1, StatusDeployed)
	r.Values, r.Hooks = map[string]any{"color": "red"}, nil
	r.Chart.Files = []File{
		{"Chart.yaml", []byte("apiVersion: v2\nname: shop\nversion: 1.2.3\n")},
		{"values.yaml", []byte("color: grey\nsize: 1\n")},
		{"templates/map.yaml", []byte(template)},
	}
	r.Manifest = TextOf("---\n# Source: shop/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\ndata:\n  color: red\n  size: \"1\"\n")
	maps := s.secrets.CoreV1().ConfigMaps(s.ns)
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name: "shop", Labels: map[string]string{"app.kubernetes.io/managed-by": "Helm"},
			Annotations: map[string]string{"meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": s.ns},
		},
		Data: map[string]string{"color": "red", "size": "1"},
	}
	if _, err := maps.Create(s.ctx, object, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	live := func() string {
		t.Helper()
		m, err := maps.Get(s.ctx, "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Data["color"] + " " + m.Data["size"]
	}
	cfg := s.helm()

	// The new chart's defaults differ; --reuse-values takes those of the stored one.
	next, err := loader.LoadFiles([]*loader.BufferedFile{
		{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: shop\nversion: 1.3.0\n")},
		{Name: "values.yaml", Data: []byte("color: grey\nsize: 9\n")},
		{Name: "templates/map.yaml", Data: []byte(template)},
	})
	if err != nil {
		t.Fatal(err)
	}
	upgrade := action.NewUpgrade(cfg)
	upgrade.Namespace, upgrade.ReuseValues = s.ns, true
	if _, err := upgrade.Run("shop", next, map[string]any{"color": "blue"}); err != nil {
		t.Fatalf("helm upgrade: %v", err)
	}
	if got := live(); got != "blue 1" {
		t.Errorf("after helm upgrade --reuse-values: %s, want blue 1", got)
	}
	if got, want := s.history(), "1 superseded, 2 deployed"; got != want {
		t.Errorf("history %s, want %s", got, want)
	}

	rollback := action.NewRollback(cfg)
	rollback.Version = 1
	if err := rollback.Run("shop"); err != nil {
		t.Fatalf("helm rollback: %v", err)
	}
	if got := live(); got != "red 1" {
		t.Errorf("after helm rollback: %s, want red 1", got)
	}
	if got := s.get(1); got.Cause != r.Cause {
		t.Errorf("cause %q, want %q", got.Cause, r.Cause)
	}
	if got := s.get(3); got.Description != "Rollback to 1" || got.Cause != "" || got.Status != StatusDeployed {
		t.Errorf("helm's own revision reads as %+v", got)
	}

	if _, err := action.NewUninstall(cfg).Run("shop"); err != nil {
		t.Fatalf("helm uninstall: %v", err)
	}
	if _, err := maps.Get(context.Background(), "shop", metav1.GetOptions{}); err == nil {
		t.Error("helm uninstall left the object")
	}
	if got := strings.Join(s.names(), " "); got != "" {
		t.Errorf("helm uninstall left %s", got)
	}
}

// Helm shows a continued revision, and refuses to act on what it cannot see.
func TestHelmShowsContinued(t *testing.T) {
	s := newShelf(t)
	if err := s.Create(s.ctx, s.big(1, StatusDeployed)); err != nil {
		t.Fatal(err)
	}
	cfg := s.helm()
	history, err := action.NewHistory(cfg).Run("shop")
	if err != nil || len(history) != 1 || !strings.HasSuffix(history[0].Info.Description, "ticket 7: raise the limit") || history[0].Chart.Metadata.Version != "1.2.3" {
		t.Errorf("helm history: %v, %v", history, err)
	}
	list := action.NewList(cfg)
	list.SetStateMask()
	if releases, err := list.Run(); err != nil || len(releases) != 1 || releases[0].Version != 1 {
		t.Errorf("helm list: %v, %v", releases, err)
	}
	if values, err := action.NewGetValues(cfg).Run("shop"); err != nil || values["replicas"] != 3.0 {
		t.Errorf("helm get values: %v, %v", values, err)
	}
}

func TestHelmStopsAtContinued(t *testing.T) {
	for name, run := range map[string]func(cfg *action.Configuration, ns string) error{
		"rollback to it": func(cfg *action.Configuration, _ string) error {
			rollback := action.NewRollback(cfg)
			rollback.Version = 2
			return rollback.Run("shop")
		},
		"rollback from it": func(cfg *action.Configuration, _ string) error {
			rollback := action.NewRollback(cfg)
			rollback.Version = 1
			return rollback.Run("shop")
		},
		"upgrade": func(cfg *action.Configuration, ns string) error {
			upgrade := action.NewUpgrade(cfg)
			upgrade.Namespace, upgrade.ReuseValues = ns, true
			next, err := loader.LoadFiles([]*loader.BufferedFile{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: shop\nversion: 2.0.0\n")}})
			if err != nil {
				return nil
			}
			_, err = upgrade.Run("shop", next, nil)
			return err
		},
		"uninstall": func(cfg *action.Configuration, _ string) error {
			_, err := action.NewUninstall(cfg).Run("shop")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			first := s.record(1, StatusSuperseded)
			first.Manifest = TextOf("---\n# Source: shop/templates/map.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: shop\n")
			records := []*Record{first, s.big(2, StatusSuperseded), s.big(3, StatusDeployed)}
			for _, r := range records {
				r.Hooks = nil
				if err := s.Create(s.ctx, r); err != nil {
					t.Fatal(err)
				}
			}
			err := run(s.helm(), s.ns)
			// Uninstall does not pass the reason on.
			if err == nil || !strings.Contains(err.Error(), "ContinuedRevision") && err.Error() != "failed to delete release: shop" {
				t.Errorf("helm acts on a revision that it sees only in part: %v", err)
			}
			for _, r := range records {
				if got := s.get(r.Revision); !got.Manifest.Equal(r.Manifest) {
					t.Errorf("revision %d has another manifest", r.Revision)
				}
			}
		})
	}
}

// Parts are deleted with their revision, by any client.
func TestPartsGoWithTheirRevision(t *testing.T) {
	s := newShelf(t)
	if err := s.Create(s.ctx, s.big(1, StatusDeployed)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.helmStorage().Delete("shop", 1); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(context.Context) error {
		if left := s.names(); len(left) > 0 {
			return fmt.Errorf("left: %v", left)
		}
		return nil
	})
}
