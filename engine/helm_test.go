package engine_test

import (
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// Helm reads what the engine deployed as its own.
func TestHelmReadsWhatIsDeployedHere(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": configMap, "NOTES.txt": "colour {{ .Values.colour }}", "values.yaml": "colour: green\n"})
	first := f.release(c, "colour=red")
	first.Cause = "paint it"
	f.deploy(first)
	f.deploy(f.release(c, "colour=blue"))

	helm := f.helm()
	history, err := action.NewHistory(helm).Run("shop")
	if err != nil {
		t.Fatal(err)
	}
	if len(history) != 2 || history[0].Info.Status != "superseded" || history[1].Info.Status != "deployed" {
		t.Fatalf("helm history: %+v", history)
	}
	if got := history[0].Info.Description; got != "Install complete — paint it" {
		t.Errorf("helm history describes the first as %q", got)
	}
	if got := history[1].Chart.Metadata; got.Name != "shop" || got.Version != "1.0.0" {
		t.Errorf("helm history shows chart %+v", got)
	}
	list := action.NewList(helm)
	list.All = true
	listed, err := list.Run()
	if err != nil || len(listed) != 1 || listed[0].Version != 2 {
		t.Errorf("helm list: %+v, %v", listed, err)
	}
	values, err := action.NewGetValues(helm).Run("shop")
	if err != nil || values["colour"] != "blue" {
		t.Errorf("helm get values: %v, %v", values, err)
	}
	all := action.NewGetValues(helm)
	all.AllValues = true
	all.Version = 1
	if values, err = all.Run("shop"); err != nil || values["colour"] != "red" {
		t.Errorf("helm get values --all --revision 1: %v, %v", values, err)
	}
	got, err := action.NewGet(helm).Run("shop")
	if err != nil || got.Info.Notes != "colour blue" || len(got.Chart.Templates) == 0 {
		t.Errorf("helm get: %v", err)
	}
}

// The engine reads what Helm deployed, and an equal deploy changes no object.
func TestTakesOverFromHelm(t *testing.T) {
	f := newFixture(t)
	templates := map[string]string{"a.yaml": configMap, "b.yaml": deployment}
	install := action.NewInstall(f.helm())
	install.ReleaseName, install.Namespace = "shop", f.namespace
	if _, err := install.RunWithContext(f.ctx, helmChart(t, templates), map[string]any{"colour": "red"}); err != nil {
		t.Fatal(err)
	}
	history, err := f.engine.History(f.ctx, f.key)
	if err != nil || len(history) != 1 || history[0].Status != engine.StatusDeployed || history[0].Chart != "shop-1.0.0" {
		t.Fatalf("history: %+v, %v", history, err)
	}
	c := f.chart(templates)
	f.requests.Reset()
	if rev := f.deploy(f.release(c, "colour=red")); rev.Revision != 1 {
		t.Errorf("an equal deploy made revision %d", rev.Revision)
	}
	if w := f.writes(); len(w) > 0 {
		t.Errorf("an equal deploy wrote %v", w)
	}
	f.deploy(f.release(c, "colour=blue", "tag=2.0"))
	f.wantHistory("1 superseded", "2 deployed")

	upgrade := action.NewUpgrade(f.helm())
	upgrade.Namespace, upgrade.ReuseValues = f.namespace, true
	rel, err := upgrade.RunWithContext(f.ctx, "shop", helmChart(t, templates), map[string]any{"tag": "3.0"})
	if err != nil {
		t.Fatal(err)
	}
	if rel.Version != 3 || rel.Config["colour"] != "blue" {
		t.Errorf("helm upgrade --reuse-values made revision %d of %v", rel.Version, rel.Config)
	}
	if _, err := f.engine.Rollback(f.ctx, f.key, 2, engine.ApplyOptions{}); err != nil {
		t.Errorf("roll back over Helm's upgrade: %v", err)
	}
	f.wantHistory("1 superseded", "2 superseded", "3 superseded", "4 deployed")
	rollback := action.NewRollback(f.helm())
	rollback.Version = 3
	if err := rollback.Run("shop"); err != nil {
		t.Errorf("helm rollback: %v", err)
	}
	if _, err := action.NewUninstall(f.helm()).Run("shop"); err != nil {
		t.Errorf("helm uninstall: %v", err)
	}
}

func (f *fixture) helm() *action.Configuration {
	f.Helper()
	flags := genericclioptions.NewConfigFlags(false)
	*flags.KubeConfig = f.cluster.Kubeconfig
	*flags.Namespace = f.namespace
	flags.WithWrapConfigFn(func(c *rest.Config) *rest.Config { c.QPS = -1; return c })
	cfg := new(action.Configuration)
	if err := cfg.Init(flags, f.namespace, "secret", func(string, ...any) {}); err != nil {
		f.Fatal(err)
	}
	return cfg
}

func helmChart(t testing.TB, templates map[string]string) *chart.Chart {
	t.Helper()
	files := []*loader.BufferedFile{{Name: "Chart.yaml", Data: []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n")}}
	for name, text := range templates {
		files = append(files, &loader.BufferedFile{Name: "templates/" + name, Data: []byte(text)})
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}
