package engine_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

// What was read beside the history does not count if another engine has deployed
// meanwhile.
func TestObjectsReadTooEarly(t *testing.T) {
	f := newFixture(t)
	c := f.chart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: {{ .Values.x | quote }}}\n"})
	var once sync.Once
	reads := make(chan struct{}, 100)
	armed := false
	config := rest.CopyConfig(f.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if armed && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/secrets") {
				once.Do(func() {
					<-reads // the object as it was before
					f.deploy(f.release(c, "x=two"))
				})
			}
			res, err := next.RoundTrip(r)
			if armed && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/configmaps/a") {
				reads <- struct{}{}
			}
			return res, err
		})
	})
	e, err := engine.New(config, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Deploy(f.ctx, f.release(c, "x=one"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	armed = true
	if _, err := e.Deploy(f.ctx, f.release(c, "x=one"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if live, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "a", metav1.GetOptions{}); err != nil || live.Data["x"] != "one" {
		t.Errorf("it is %v, %v", live.Data, err)
	}
	if len(reads) == 0 {
		t.Error("it was not read again")
	}
	f.wantHistory("1 superseded", "2 superseded", "3 deployed")
}

// What may be read only as what is desired is not taken for missing.
func TestObjectsThatMayNotBeReadEarly(t *testing.T) {
	f := newFixture(t)
	e := f.newEngineWith(engine.Options{Allow: func(a engine.Access) error {
		if a.Desired == nil && a.Object.Kind == "ConfigMap" {
			return errors.New("it stays")
		}
		return nil
	}})
	c := f.chart(map[string]string{"a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n"})
	for range 3 {
		if _, err := e.Deploy(f.ctx, f.release(c), engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	f.wantHistory("1 deployed")
}
