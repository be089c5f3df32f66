package charts

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestValues(t *testing.T) {
	webapp, err := WebAppValues{Replicas: new(int32(3)), Image: Image{Tag: "1.0"}}.Values()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"replicas": float64(3), "image": map[string]any{"tag": "1.0"}}
	if diff := cmp.Diff(want, webapp.Map()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if origin, ok := webapp.Origin("image.tag"); !ok || origin.Layer != "WebAppValues" {
		t.Errorf("image.tag comes from %+v, %v", origin, ok)
	}
	database, err := DatabaseValues{Auth: DatabaseAuth{Password: "x"}}.Values()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"auth": map[string]any{"password": "x"}}, database.Map()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if _, err := (WebAppValues{ExtraObjects: []map[string]any{{"a": func() {}}}}).Values(); err == nil {
		t.Error("a function is no value")
	}
}
