package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// packed is a packaged chart of one ConfigMap.
func packed(t *testing.T, version string) []byte {
	t.Helper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	archive := tar.NewWriter(zipped)
	for name, text := range map[string]string{
		"shop/Chart.yaml":          "apiVersion: v2\nname: shop\nversion: " + version + "\n",
		"shop/values.yaml":         "colour: blue\n",
		"shop/templates/shop.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\ndata: {version: '{{ .Chart.Version }}', colour: {{ .Values.colour | quote }}}\n",
	} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if archive.Close() != nil || zipped.Close() != nil {
		t.Fatal("pack")
	}
	return out.Bytes()
}

// Charts come from ConfigMaps, addresses and repositories, and a newer one that matches
// is deployed; so are values of ConfigMaps and Secrets that change.
func TestCharts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var newest atomic.Value
	newest.Store("1.0.0")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/index.yaml" {
			fmt.Fprintf(w, "entries: {shop: [{version: 2.0.0, urls: [shop-2.0.0.tgz]}, {version: %[1]s, urls: ['shop-%[1]s.tgz']}]}", newest.Load())
			return
		}
		w.Write(packed(t, strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/shop-"), ".tgz")))
	}))
	t.Cleanup(server.Close)
	f.operate("-private-addresses", "-plain-http")
	from := func(source v1alpha1.ChartSource) func(*v1alpha1.ApplicationSpec) {
		return func(s *v1alpha1.ApplicationSpec) {
			s.Chart, s.Interval = source, &metav1.Duration{Duration: time.Second}
		}
	}
	f.create(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "chart"}, BinaryData: map[string][]byte{"chart.tgz": packed(t, "0.1.0")},
	})
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "colours"}, StringData: map[string]string{"values.yaml": "colour: red"}}
	f.create(secret)
	f.application("in-config-map", `{}`, from(v1alpha1.ChartSource{ConfigMap: &v1alpha1.ConfigMapKey{Name: "chart"}}), func(s *v1alpha1.ApplicationSpec) {
		s.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "Secret", Name: "colours"}, {Kind: "ConfigMap", Name: "nothing", Optional: true}}
	})
	f.application("at-address", `{}`, from(v1alpha1.ChartSource{URL: server.URL + "/shop-3.0.0.tgz"}))
	f.application("in-repository", `{}`, from(v1alpha1.ChartSource{Repository: &v1alpha1.Repository{URL: server.URL, Name: "shop"}, Version: "^1.0"}))
	f.application("nowhere", `{}`, from(v1alpha1.ChartSource{Repository: &v1alpha1.Repository{URL: server.URL, Name: "shop"}, Version: "^9.0"}))
	deployed := func(name, version, colour string) {
		t.Helper()
		f.is(name, func(a *v1alpha1.Application) bool {
			return ready(a) && a.Status.Chart.Version == version && f.colour(name) == colour
		})
	}
	deployed("in-config-map", "0.1.0", "red")
	deployed("at-address", "3.0.0", "blue")
	deployed("in-repository", "1.0.0", "blue")
	app := f.is("nowhere", because("Retrying"))
	if m := app.Status.Conditions[0].Message; !strings.Contains(m, "shop") {
		t.Errorf("the message is %q", m)
	}
	newest.Store("1.1.0")
	f.patch(secret, "test", `{"stringData":{"values.yaml":"colour: green"}}`)
	deployed("in-config-map", "0.1.0", "green")
	deployed("in-repository", "1.1.0", "blue")
}

// Without flags, charts come from public addresses over https alone.
func TestChartAddresses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.operate()
	for name, url := range map[string]string{"plain": "http://example.com/shop-1.0.0.tgz", "private": "https://127.0.0.1:1/shop-1.0.0.tgz"} {
		f.application(name, `{}`, func(s *v1alpha1.ApplicationSpec) { s.Chart = v1alpha1.ChartSource{URL: url} })
	}
	for name, want := range map[string]string{"plain": "use https", "private": charts.ErrPrivateAddress.Error()} {
		app := f.is(name, because("Retrying"))
		if m := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.Ready).Message; !strings.Contains(m, want) {
			t.Errorf("%s: the message is %q", name, m)
		}
	}
}

// colour is a value of the ConfigMap that an Application of the chart has.
func (f *fixture) colour(name string) string {
	m := &corev1.ConfigMap{}
	if err := f.client.Get(f.Context(), f.key(name), m); err != nil {
		return err.Error()
	}
	return m.Data["colour"]
}

// The API server refuses what cannot be meant.
func TestValidation(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	tests := map[string]func(*v1alpha1.Application){
		"two sources":   func(a *v1alpha1.Application) { a.Spec.Chart.URL = "https://example.com/a.tgz" },
		"no source":     func(a *v1alpha1.Application) { a.Spec.Chart.BuiltIn = "" },
		"unknown chart": func(a *v1alpha1.Application) { a.Spec.Chart.BuiltIn = "mail" },
		"unknown mode":  func(a *v1alpha1.Application) { a.Spec.Drift.Mode = "Maybe" },
		"empty rule":    func(a *v1alpha1.Application) { a.Spec.Drift.Ignore = []v1alpha1.IgnoreRule{{}} },
		"kind of values": func(a *v1alpha1.Application) {
			a.Spec.ValuesFrom = []v1alpha1.ValuesReference{{Kind: "Pod", Name: "a"}}
		},
		"list of values":  func(a *v1alpha1.Application) { a.Spec.Values = &apiextensionsv1.JSON{Raw: []byte(`[]`)} },
		"long name":       func(a *v1alpha1.Application) { a.Name = strings.Repeat("a", 54) },
		"history":         func(a *v1alpha1.Application) { a.Spec.History = 1000 },
		"same dependency": func(a *v1alpha1.Application) { a.Spec.DependsOn = []v1alpha1.Dependency{{Name: "a"}, {Name: "a"}} },
	}
	for name, change := range tests {
		app := &v1alpha1.Application{
			ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: "web"},
			Spec:       v1alpha1.ApplicationSpec{Chart: v1alpha1.ChartSource{BuiltIn: "webapp"}},
		}
		change(app)
		if err := f.client.Create(t.Context(), app); !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
