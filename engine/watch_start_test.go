package engine_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/action"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// record stores revisions of releases as the engine does, all with one manifest, the
// last of each deployed.
func (f *fixture) record(namespace string, releases, revisions int, manifest string) {
	f.Helper()
	cfg := f.cluster.Config()
	cfg.QPS = -1
	store := storage.New(kubernetes.NewForConfigOrDie(cfg), metadata.NewForConfigOrDie(cfg))
	for i := range releases {
		for n := 1; n <= revisions; n++ {
			r := &storage.Record{
				Name: fmt.Sprintf("app-%d", i), Namespace: namespace, Revision: n, Status: storage.StatusSuperseded,
				Chart: storage.Chart{Name: "app", Version: "1.0.0"}, Manifest: storage.TextOf(manifest),
			}
			if n == revisions {
				r.Status = storage.StatusDeployed
			}
			if err := store.Create(f.ctx, r); err != nil {
				f.Fatal(err)
			}
		}
	}
}

// strip takes from the newest revision of a release what Helm does not write.
func (f *fixture) strip(namespace, name string, newest int) {
	f.Helper()
	patch := []byte(`{"metadata":{"annotations":null}}`)
	secret := fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, newest)
	if _, err := f.client.CoreV1().Secrets(namespace).Patch(f.ctx, secret, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		f.Fatal(err)
	}
}

// watchStart is what the beginning of a watch takes of Secrets.
type watchStart struct {
	requests []string
	received atomic.Int64
}

// begin watches a namespace until so many releases are found.
func (f *fixture) begin(namespace string, releases int) *watchStart {
	f.Helper()
	s := &watchStart{}
	cfg, requests := testcluster.Record(f.cluster.Config())
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if err == nil && strings.Contains(req.URL.Path, "/secrets") {
				res.Body = countedBody{res.Body, &s.received}
			}
			return res, err
		})
	})
	e, err := engine.New(cfg, engine.Options{})
	if err != nil {
		f.Fatal(err)
	}
	w := f.watch(e, engine.WatchOptions{Namespaces: []string{namespace}})
	w.awaitAll(releases)
	w.stop()
	for _, r := range requests.Requests() {
		if strings.Contains(r.Path, "/secrets") {
			s.requests = append(s.requests, r.String())
		}
	}
	slices.Sort(s.requests)
	return s
}

// awaitAll waits until so many releases are found.
func (w *watcher) awaitAll(releases int) {
	w.t.Helper()
	found := map[engine.Key]bool{}
	testcluster.Eventually(w.t, time.Minute, func(context.Context) error {
		for _, t := range w.take() {
			if t.Touches[0].Reason == engine.TouchFound {
				found[t.Key] = true
			}
		}
		if len(found) < releases {
			return fmt.Errorf("%d of %d releases are found", len(found), releases)
		}
		return nil
	})
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// A watch of releases that the engine has recorded begins without reading a body: it
// takes the same requests and bytes whatever their size is, and one list for all.
func TestWatchBeginsWithoutBodies(t *testing.T) {
	f := newFixture(t)
	const releases, revisions = 6, 4
	small := "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"
	big := small + "data:\n  a: " + strings.Repeat("text that is long ", 20_000) + "\n"
	other := f.cluster.Namespace(t)
	f.record(f.namespace, releases, revisions, small)
	f.record(other, releases, revisions, big)
	few, many := f.begin(f.namespace, releases), f.begin(other, releases)
	if len(few.requests) != 2 || len(many.requests) != 2 { // a list and a watch
		t.Errorf("requests: %v, %v", few.requests, many.requests)
	}
	if a, b := few.received.Load(), many.received.Load(); b > a+a/10 {
		t.Errorf("received %d bytes for small revisions, %d for big ones", a, b)
	}
}

// Of releases that Helm has recorded last, the revision that counts is read once, and
// those that note their kinds do not wait for it.
func TestWatchReadsWhatNotesNoKinds(t *testing.T) {
	f := newFixture(t)
	f.record(f.namespace, 3, 3, "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n")
	for _, name := range []string{"app-1", "app-2"} {
		f.strip(f.namespace, name, 3)
	}
	reading := make(chan struct{})
	var refused atomic.Bool // of app-2
	refused.Store(true)
	f.config = rest.CopyConfig(f.config)
	f.config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(req *http.Request) (*http.Response, error) {
			if !strings.Contains(req.URL.Path, "/secrets/sh.helm") {
				return next.RoundTrip(req)
			}
			select {
			case <-reading:
			case <-req.Context().Done():
				return nil, req.Context().Err()
			}
			if strings.Contains(req.URL.Path, "app-2") && refused.Load() {
				return &http.Response{StatusCode: http.StatusForbidden, Request: req, Body: http.NoBody, Header: http.Header{}}, nil
			}
			return next.RoundTrip(req)
		})
	})
	w := f.watch(f.newEngine(f.config), engine.WatchOptions{Namespaces: []string{f.namespace}})
	key := func(name string) engine.Key { return engine.Key{Namespace: f.namespace, Name: name} }
	w.awaitReason(key("app-0"), engine.TouchFound)
	close(reading)
	w.awaitReason(key("app-1"), engine.TouchFound)
	refused.Store(false) // what cannot be read is tried again
	w.awaitReason(key("app-2"), engine.TouchFound)
	for path, n := range f.requests.Paths() {
		if strings.Contains(path, "/secrets/sh.helm") && (n > 1 || !strings.HasSuffix(path, ".v3")) {
			t.Errorf("%s is read %d times", path, n)
		}
	}
}

// An install takes the same requests while a watch is running that follows its kinds
// already.
func TestWatchCostsAnInstallNoRequest(t *testing.T) {
	f := newFixture(t)
	r := f.release(f.chart(map[string]string{"config.yaml": configMap}))
	f.deploy(r)
	install := func(name string) []testcluster.Request {
		t.Helper()
		r.Key.Name = name
		f.requests.Reset()
		f.deploy(r)
		return f.requests.Requests()
	}
	without := install("without")
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}, Own: true})
	w.awaitAll(2)
	with := install("with")
	w.await(engine.Key{Namespace: f.namespace, Name: "with"}, func(t engine.Touch) bool { return t.Reason == engine.TouchHistory })
	if with = append(with, f.requests.Requests()[len(with):]...); len(with) != len(without) {
		t.Errorf("%d requests with a watch, %d without: %v, %v", len(with), len(without), with, without)
	}
}

// What Helm adds to a release is watched.
func TestWatchFollowsWhatHelmAdds(t *testing.T) {
	f := newFixture(t)
	f.deploy(f.release(f.chart(map[string]string{"config.yaml": configMap})))
	w := f.watch(f.engine, engine.WatchOptions{Namespaces: []string{f.namespace}})
	w.awaitReason(f.key, engine.TouchFound)
	upgrade := action.NewUpgrade(f.helm())
	upgrade.Namespace = f.namespace
	account := "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop}\n"
	if _, err := upgrade.RunWithContext(f.ctx, "shop", helmChart(t, map[string]string{"a.yaml": configMap, "b.yaml": account}), nil); err != nil {
		t.Fatal(err)
	}
	w.awaitReason(f.key, engine.TouchFound) // with another kind
	if err := f.client.CoreV1().ServiceAccounts(f.namespace).Delete(f.ctx, "shop", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await(f.key, func(t engine.Touch) bool { return t.Reason == engine.TouchDeleted && t.Object.Kind == "ServiceAccount" })
}

// kindsAre writes the annotation of the first revision.
func (f *fixture) kindsAre(text string) {
	f.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{"fairlead.dev/kinds":%q}}}`, text)
	if _, err := f.client.CoreV1().Secrets(f.namespace).Patch(f.ctx, "sh.helm.release.v1.shop.v1", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		f.Fatal(err)
	}
}

// An annotation that leaves a kind out costs its events, and lets no call return what
// is not so any more. One that is none is passed over.
func TestWatchWithForgedKinds(t *testing.T) {
	c := newCaching(t, map[string]string{"config.yaml": configMap})
	c.awaitNone("Drift")
	c.kindsAre("v1/ServiceAccount v1/Unknown example.com/v1/Unknown@elsewhere")
	c.awaitReason(c.key, engine.TouchHistory)
	c.paint("pink")
	for range 2 {
		if d, err := c.engine.Drift(c.ctx, c.key); err != nil || !slices.ContainsFunc(d.Changes, diff.Change.Changed) {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if p, err := c.engine.ReconcileCorrection(c.ctx, c.key, engine.ReconcileOptions{}); err != nil || !p.Changed {
		t.Errorf("%+v, %v", p, err)
	}
	c.wantSome("Drift", "although its object is not watched")
	for _, text := range []string{"none/of this/kind", strings.Repeat("v1/X ", 2000)} {
		c.kindsAre(text)
		c.awaitNone("Drift")
	}
	c.paint("grey")
	c.await(c.key, painted)
}
