package helm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

func TestMain(m *testing.M) { testcluster.Main(m) }

const releaseName = "shop"

// fixture is a separate namespace, with an engine and one version of Helm that
// both work on the release "shop" in it, from the same chart.
type fixture struct {
	*testing.T
	ctx       context.Context
	namespace string
	client    kubernetes.Interface
	key       engine.Key
	engine    *engine.Engine
	helm      helm
	open      func() (helm, error)
	folder    string // of the chart
}

// withEach runs a test with each version of Helm, as it applies by default.
func withEach(t *testing.T, test func(f *fixture)) {
	testcluster.Need(t)
	for name, open := range helms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := testcluster.Shared(t)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			t.Cleanup(cancel)
			f := &fixture{
				T: t, ctx: ctx, namespace: cluster.Namespace(t), folder: t.TempDir(),
				client: kubernetes.NewForConfigOrDie(cluster.Config()),
			}
			f.key = engine.Key{Namespace: f.namespace, Name: releaseName}
			var err error
			if f.engine, err = engine.New(cluster.Config(), engine.Options{}); err != nil {
				t.Fatal(err)
			}
			f.open = func() (helm, error) { return open(cluster.Kubeconfig, f.namespace) }
			if f.helm, err = f.open(); err != nil {
				t.Fatal(err)
			}
			for name, text := range chart {
				f.write(name, text)
			}
			test(f)
		})
	}
}

// write writes a file of the chart.
func (f *fixture) write(name, text string) {
	f.Helper()
	path := filepath.Join(f.folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
}

// release returns the current chart, for the engine.
func (f *fixture) release(values map[string]any) engine.Release {
	f.Helper()
	c, err := render.LoadFS(os.DirFS(f.folder))
	if err != nil {
		f.Fatal(err)
	}
	merged, err := render.MergeValues(render.FromMap("test", values))
	if err != nil {
		f.Fatal(err)
	}
	return engine.Release{Key: f.key, Source: c, Values: merged}
}

// deploy deploys with the engine.
func (f *fixture) deploy(values map[string]any) *engine.Revision {
	f.Helper()
	rev, err := f.engine.Deploy(f.ctx, f.release(values), engine.ApplyOptions{})
	if err != nil {
		f.Fatal(err)
	}
	return rev
}

// must ends the test on an error of an operation.
func (f *fixture) must(what string, err error) {
	f.Helper()
	if err != nil {
		f.Fatalf("%s: %v", what, err)
	}
}

// wantConfig checks the data of a live ConfigMap; without any, it may not exist.
func (f *fixture) wantConfig(name string, want map[string]string) {
	f.Helper()
	got, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		got, err = &corev1.ConfigMap{}, nil
	}
	f.must("read ConfigMap "+name, err)
	if len(got.Data) != len(want) {
		f.Errorf("ConfigMap %s has %v, want %v", name, got.Data, want)
		return
	}
	for k, v := range want {
		if got.Data[k] != v {
			f.Errorf("ConfigMap %s has %v, want %v", name, got.Data, want)
		}
	}
}

// wantImage checks the live Deployment.
func (f *fixture) wantImage(want string) {
	f.Helper()
	d, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, releaseName, metav1.GetOptions{})
	f.must("read the Deployment", err)
	if got := d.Spec.Template.Spec.Containers; len(got) != 1 || got[0].Image != want {
		f.Errorf("the Deployment runs %+v, want one container of %s", got, want)
	}
}

// wantGone checks that no object of the release exists.
func (f *fixture) wantGone() {
	f.Helper()
	testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
		return f.nothingLeft(ctx)
	})
	revisions, err := f.engine.History(f.ctx, f.key)
	if !errors.Is(err, engine.ErrReleaseNotFound) || len(revisions) > 0 {
		f.Errorf("history after the uninstall: %+v, %v", revisions, err)
	}
}

// wantSettled checks that the engine finds no drift and that the same deploy
// would change nothing.
func (f *fixture) wantSettled(values map[string]any) {
	f.Helper()
	p, err := f.engine.Plan(f.ctx, f.release(values), engine.PlanOptions{})
	f.must("plan", err)
	if p.Changed() || p.Err() != nil {
		f.Errorf("the same deploy would change %s: %v", p.Report.Summary(), p.Err())
	}
	drift, err := f.engine.Drift(f.ctx, f.key)
	f.must("drift", err)
	for _, c := range drift.Changes {
		if c.Changed() {
			f.Errorf("%s has drifted: %+v", c.Object, c.Fields)
		}
	}
}
