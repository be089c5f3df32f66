package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// verdict is a response of the API server, as an error of the client.
func verdict(req *http.Request, err *apierrors.StatusError) *http.Response {
	status := err.ErrStatus
	status.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	text, _ := json.Marshal(status)
	return &http.Response{
		StatusCode: int(status.Code), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(text))),
	}
}

// A conflict with another writer is retried; a decision of the API server is not.
func TestVerdictsAndRaces(t *testing.T) {
	maps, secrets := schema.GroupResource{Resource: "configmaps"}, schema.GroupResource{Resource: "secrets"}
	apply := func(r *http.Request) bool {
		return r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "/configmaps/shop-config") && !r.URL.Query().Has("dryRun")
	}
	write := func(method, part string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method == method && strings.Contains(r.URL.Path, part) }
	}
	for name, c := range map[string]struct {
		on    func(*http.Request) bool
		with  *apierrors.StatusError
		times int32 // how often this response is sent
		tries int32 // minimum number of requests; the exact number if the call fails
		fails error
	}{
		"another created it":          {on: apply, with: apierrors.NewAlreadyExists(maps, "shop-config"), times: 2, tries: 3},
		"another changed it":          {on: apply, with: apierrors.NewConflict(maps, "shop-config", errors.New("the object has been modified")), times: 2, tries: 3},
		"another always changes it":   {on: apply, with: apierrors.NewConflict(maps, "shop-config", errors.New("the object has been modified")), times: 100, tries: 7, fails: errAny},
		"invalid":                     {on: apply, with: apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "shop-config", nil), times: 100, tries: 1, fails: errAny},
		"forbidden":                   {on: apply, with: apierrors.NewForbidden(maps, "shop-config", errors.New("not you")), times: 100, tries: 1, fails: engine.ErrForbidden},
		"the revision's number taken": {on: write(http.MethodPost, "/secrets"), with: apierrors.NewAlreadyExists(secrets, "sh.helm.release.v1.shop.v1"), times: 1, tries: 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var asked atomic.Int32
			e := f.newEngine(testcluster.Inject(f.cluster.Config(), func(r *http.Request) (*http.Response, error) {
				if !c.on(r) || asked.Add(1) > c.times {
					return nil, nil
				}
				return verdict(r, c.with), nil
			}))
			_, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{})
			if n := asked.Load(); n < c.tries || c.fails != nil && n != c.tries {
				t.Errorf("asked %d times, want %d", n, c.tries)
			}
			if c.fails == nil {
				if err != nil {
					t.Fatal(err)
				}
				f.wantHistory("1 deployed")
				return
			}
			if typed := (*engine.Error)(nil); !errors.As(err, &typed) || c.fails != errAny && !errors.Is(err, c.fails) {
				t.Errorf("%T %v", err, err)
			}
			f.deploy(f.release(f.chart(map[string]string{"a.yaml": configMap}))) // on a good connection
		})
	}
}

var errAny = errors.New("any")

// An expired token is read again from its file or credential plug-in, and the
// call continues.
func TestExpiredTokens(t *testing.T) {
	for name, with := range map[string]func(cfg *rest.Config, file string){
		"file": func(cfg *rest.Config, file string) { cfg.BearerTokenFile = file },
		"program": func(cfg *rest.Config, file string) {
			cfg.ExecProvider = &clientcmdapi.ExecConfig{
				APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: clientcmdapi.NeverExecInteractiveMode, Command: "sh",
				Args: []string{"-c", `printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$(cat ` + file + `)"`},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			cfg := f.cluster.Config()
			good := cfg.BearerToken
			if good == "" {
				t.Fatal("the cluster's users have no tokens")
			}
			file := filepath.Join(t.TempDir(), "token")
			write := func(token string) {
				fresh, err := os.CreateTemp(filepath.Dir(file), "")
				if err == nil {
					_, err = fresh.WriteString(token)
					err = errors.Join(err, fresh.Close(), os.Rename(fresh.Name(), file)) // atomically
				}
				if err != nil {
					t.Error(err)
				}
			}
			write("stale")
			cfg.BearerToken = ""
			with(cfg, file)
			var refused atomic.Int32
			cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(req *http.Request) (*http.Response, error) {
					res, err := next.RoundTrip(req)
					if err == nil && res.StatusCode == http.StatusUnauthorized {
						refused.Add(1)
						write(good)
					}
					return res, err
				})
			})
			e := f.newEngine(cfg)
			if _, err := e.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{}); err != nil {
				t.Fatal(err)
			}
			if refused.Load() == 0 {
				t.Error("no token was refused")
			}
		})
	}
}

// A namespace that is being deleted accepts no new objects: the plan says so, and
// a deploy fails at once.
func TestNamespaceThatIsBeingDeleted(t *testing.T) {
	f := newFixture(t)
	// A finalizer keeps the namespace, as content that is deleted slowly does.
	finalized := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "finalized", Finalizers: []string{"fairlead.dev/test"}}}
	maps := f.client.CoreV1().ConfigMaps(f.namespace)
	if _, err := maps.Create(f.ctx, finalized, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		finalized.Finalizers, finalized.ResourceVersion = nil, ""
		if _, err := maps.Update(context.Background(), finalized, metav1.UpdateOptions{}); err != nil {
			t.Error(err)
		}
	})
	if err := f.client.CoreV1().Namespaces().Delete(f.ctx, f.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	begun := time.Now()
	_, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"a.yaml": configMap})), engine.ApplyOptions{})
	if typed := (*engine.Error)(nil); !errors.As(err, &typed) || !strings.Contains(err.Error(), "is being deleted (wait until it is gone") {
		t.Errorf("%T %v", err, err)
	}
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, w := range f.writes() {
		if !strings.Contains(w, "selfsubject") {
			t.Errorf("wrote %s", w)
		}
	}
}
