package helm_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// Both is Helm 3 and the engine, each in a namespace of its own.
type both struct {
	helm, engine   *place
	byHelm, byHere tool
	e              *engine.Engine
	key            engine.Key
}

func newBoth(t *testing.T) *both {
	t.Helper()
	testcluster.Need(t)
	cluster := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	at := func() *place {
		return &place{ctx: ctx, client: kubernetes.NewForConfigOrDie(cluster.Config()), dynamic: dynamic.NewForConfigOrDie(cluster.Config()), namespace: cluster.Namespace(t), folder: t.TempDir()}
	}
	b := &both{helm: at(), engine: at()}
	h, err := openHelm3(cluster.Kubeconfig, b.helm.namespace)
	if err != nil {
		t.Fatal(err)
	}
	b.byHelm = helmTool(b.helm, h)
	if b.e, err = engine.New(cluster.Config(), engine.Options{}); err != nil {
		t.Fatal(err)
	}
	b.key = engine.Key{Namespace: b.engine.namespace, Name: releaseName}
	b.byHere = engineTool(b.engine, b.e, nil)
	return b
}

// deploy deploys a manifest by both, and returns their errors.
func (b *both) deploy(t *testing.T, manifest string, install bool) (helm, here error) {
	t.Helper()
	if err := errors.Join(b.helm.write(manifest), b.engine.write(manifest)); err != nil {
		t.Fatal(err)
	}
	if install {
		return b.byHelm.install(), b.byHere.install()
	}
	return b.byHelm.upgrade(), b.byHere.upgrade()
}

func (b *both) installed(t *testing.T, manifest string) {
	t.Helper()
	if helm, here := b.deploy(t, manifest, true); helm != nil || here != nil {
		t.Fatal(helm, here)
	}
}

// differ checks that Helm did it, and that the engine refused it for a reason.
func differ(t *testing.T, helm, here error, says string) {
	t.Helper()
	if helm != nil {
		t.Errorf("Helm: %v", helm)
	}
	if here == nil || !strings.Contains(here.Error(), says) {
		t.Errorf("the engine: %v, want %q", here, says)
	}
}

// What docs/beside-helm.md says of differences, beyond what sequences show.
func TestDocumentedDifferences(t *testing.T) {
	t.Run("nothing changed", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		b.installed(t, config("", "{a: b}"))
		if helm, here := b.deploy(t, config("", "{a: b}"), false); helm != nil || here != nil {
			t.Fatal(helm, here)
		}
		for p, want := range map[*place]int{b.helm: 2, b.engine: 1} {
			if n := len(p.secrets(t)); n != want {
				t.Errorf("%d revisions, want %d", n, want)
			}
		}
	})
	t.Run("a field that another manager set", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		b.installed(t, config("", "{a: b}"))
		edit := patch(configPath, types.MergePatchType, `{"data":{"a":"theirs"}}`)
		if err := errors.Join(edit(b.helm), edit(b.engine)); err != nil {
			t.Fatal(err)
		}
		helm, here := b.deploy(t, config("", "{a: c}"), false)
		differ(t, helm, here, "kubectl-edit owns fields that would change")
	})
	t.Run("an object that exists", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		for _, p := range []*place{b.helm, b.engine} {
			if _, err := p.client.CoreV1().ConfigMaps(p.namespace).Create(p.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "c"}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		helm, here := b.deploy(t, config("", "{a: b}"), true)
		if helm == nil || here == nil || !strings.Contains(here.Error(), "belongs to no release") {
			t.Errorf("Helm: %v, the engine: %v", helm, here)
		}
	})
	t.Run("a manifest that lost everything", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		b.installed(t, config("", "{a: b}")+"---\n"+secret("stringData: {a: b}"))
		helm, here := b.deploy(t, "\n", false)
		differ(t, helm, here, "UnsafePrune")
	})
	t.Run("an unknown field", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		helm, here := b.deploy(t, web("", "", ", imagee: x"), true)
		differ(t, helm, here, "FieldValidation")
	})
	t.Run("an object of others with a hook's name", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		b.installed(t, config("", "{a: b}"))
		for _, p := range []*place{b.helm, b.engine} {
			if _, err := p.client.CoreV1().ConfigMaps(p.namespace).Create(p.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Data: map[string]string{"theirs": "x"}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		hook := strings.Replace(config(", annotations: {helm.sh/hook: pre-upgrade}", "{a: b}"), "name: c", "name: hook", 1)
		helm, here := b.deploy(t, config("", "{a: c}")+"---\n"+hook, false)
		differ(t, helm, here, "no hook of a release")
	})
	t.Run("a release that is too big for a Secret", func(t *testing.T) {
		t.Parallel()
		b := newBoth(t)
		var big strings.Builder
		for i := range 3 { // what does not compress, below the limit of one ConfigMap
			big.WriteString("---\n" + strings.Replace(config("", "{a: '"+noise(i, 500_000)+"'}"), "name: c", "name: "+string(rune('a'+i)), 1))
		}
		helm, here := b.deploy(t, big.String(), true)
		if helm == nil || !strings.Contains(strings.ToLower(helm.Error()), "too l") || here != nil { // "Too long", "too large"
			t.Errorf("Helm: %v, the engine: %v", helm, here)
		}
		h, err := openHelm3(testcluster.Shared(t).Kubeconfig, b.engine.namespace)
		if err != nil {
			t.Fatal(err)
		}
		if listed, err := h.list(); err != nil || len(listed) != 1 || listed[0].Info.Status != "deployed" {
			t.Errorf("helm list: %+v, %v", listed, err)
		}
		if err := errors.Join(b.engine.write(config("", "{a: b}")), h.upgrade(b.engine.ctx, b.engine.folder, nil)); err == nil {
			t.Error("Helm upgrades what it cannot read")
		}
	})
}

// A release that Helm keeps in ConfigMaps is not found; as Secrets it is.
func TestReleasesInConfigMaps(t *testing.T) {
	b := newBoth(t)
	h, err := openHelm3(testcluster.Shared(t).Kubeconfig, b.engine.namespace)
	if err != nil {
		t.Fatal(err)
	}
	h3 := h.(*helm3)
	h3.cfg = new(action.Configuration)
	if err := h3.cfg.Init(getter(testcluster.Shared(t).Kubeconfig, b.engine.namespace), b.engine.namespace, "configmap", func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	p := b.engine
	if err := errors.Join(p.write(config("", "{a: b}")), h.install(p.ctx, p.folder, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.e.History(p.ctx, b.key); !errors.Is(err, engine.ErrReleaseNotFound) {
		t.Errorf("history: %v", err)
	}
	kept, err := p.client.CoreV1().ConfigMaps(p.namespace).List(p.ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil || len(kept.Items) != 1 {
		t.Fatal(kept, err)
	}
	for _, c := range kept.Items {
		s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: c.Name, Labels: c.Labels}, Type: "helm.sh/release.v1", StringData: map[string]string{"release": c.Data["release"]}}
		if _, err := p.client.CoreV1().Secrets(p.namespace).Create(p.ctx, s, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if revisions, err := b.e.History(p.ctx, b.key); err != nil || len(revisions) != 1 || revisions[0].Status != engine.StatusDeployed {
		t.Errorf("history: %v, %v", revisions, err)
	}
	if err := b.byHere.upgrade(); err != nil {
		t.Fatal(err)
	}
	if n := len(p.secrets(t)); n != 1 {
		t.Errorf("an equal deploy recorded a revision: %d", n)
	}
}

// secrets are the revisions in a place.
func (p *place) secrets(t *testing.T) []corev1.Secret {
	t.Helper()
	list, err := p.client.CoreV1().Secrets(p.namespace).List(p.ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// noise is text that hardly compresses.
func noise(seed, size int) string {
	data, x := make([]byte, size*3/4), uint64(seed+1)
	for i := range data {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		data[i] = byte(x)
	}
	return base64.StdEncoding.EncodeToString(data)
}
