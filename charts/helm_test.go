package charts

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/lint"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

func TestHelmLintIsSilent(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			linter := lint.All(s.chart, s.values, "prod", true)
			for _, message := range linter.Messages {
				t.Error(message)
			}
		})
	}
}

// Users of Helm install the folders, as their READMEs say.
func TestHelmInstallsTheFolders(t *testing.T) {
	cluster := testcluster.Shared(t)
	for name, values := range map[string]map[string]any{
		"webapp":   {"image": map[string]any{"repository": "registry.example.com/shop", "tag": "1.0"}, "replicas": 3},
		"database": {"auth": map[string]any{"password": "s3cret"}, "storageClass": map[string]any{"create": true, "provisioner": "fairlead.dev/volume"}},
	} {
		t.Run(name, func(t *testing.T) {
			ground := newGround(t, cluster, "restricted")
			flags := genericclioptions.NewConfigFlags(false)
			*flags.KubeConfig, *flags.Namespace = cluster.Kubeconfig, ground.namespace
			helm := new(action.Configuration)
			if err := helm.Init(flags, ground.namespace, "secret", func(string, ...any) {}); err != nil {
				t.Fatal(err)
			}
			folder, err := loader.Load(name)
			if err != nil {
				t.Fatal(err)
			}
			install := action.NewInstall(helm)
			install.ReleaseName, install.Namespace, install.Wait, install.Timeout = "shop", ground.namespace, true, time.Minute
			release, err := install.RunWithContext(t.Context(), folder, values)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(release.Info.Notes, "shop, revision 1, runs ") {
				t.Errorf("the notes are %q", release.Info.Notes)
			}
			if _, err := action.NewUninstall(helm).Run("shop"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestChartsShareOnePart(t *testing.T) {
	const file = "templates/_shared.tpl"
	want := read(t, filepath.Join("webapp", file))
	if read(t, filepath.Join("database", file)) != want {
		t.Errorf("%s differs between the charts: copy the newer one over the older", file)
	}
}

// Templates of all charts are in one pot: those of the one must not take the place of the other's.
func TestBothChartsInOneParent(t *testing.T) {
	parent := &chart.Chart{Metadata: &chart.Metadata{APIVersion: "v2", Name: "stack", Version: "1.0.0"}}
	parent.AddDependency(helmChart(t, "webapp"), helmChart(t, "database"))
	files, err := helmRender(parent, "shop", "prod", map[string]any{"database": map[string]any{"auth": map[string]any{"password": "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, object := range objectsOf(t, files) {
		versions[object.GetKind()+"/"+object.GetName()] = object.GetLabels()["app.kubernetes.io/version"]
	}
	for object, version := range map[string]string{"Deployment/shop-webapp": "1.29", "StatefulSet/shop-database": "17"} {
		if versions[object] != version {
			t.Errorf("%s has the version %q, want %q, in %v", object, versions[object], version, versions)
		}
	}
}

func TestTemplatesAreShort(t *testing.T) {
	paths, err := filepath.Glob("*/templates/*")
	if err != nil || len(paths) < 20 {
		t.Fatalf("%d templates, %v", len(paths), err)
	}
	for _, path := range paths {
		if lines := strings.Count(read(t, path), "\n"); lines > 150 {
			t.Errorf("%s has %d lines; split it by subject, 150 is the most", path, lines)
		}
	}
}
