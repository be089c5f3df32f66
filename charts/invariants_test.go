package charts

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
)

// renderObjects is what a release consists of, rendered by the compiled charts:
// that Helm renders the same, TestScenariosRenderAsByHelm shows.
func renderObjects(t *testing.T, chart, release, namespace string, values map[string]any) []*unstructured.Unstructured {
	t.Helper()
	manifest, err := renderRelease(t, chart, release, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	return objectsOf(t, manifest.Files)
}

func TestNothingEmptyIsRendered(t *testing.T) {
	// Here, being empty says something: all pods, all namespaces, a directory of one's own, the core API group.
	meant := map[string]bool{"emptyDir": true, "podSelector": true, "namespaceSelector": true, "apiGroups": true}
	var walk func(t *testing.T, path, key string, value any)
	walk = func(t *testing.T, path, key string, value any) {
		empty := false
		switch value := value.(type) {
		case nil:
			empty = true
		case string:
			empty = value == ""
		case map[string]any:
			empty = len(value) == 0
			for key, inner := range value {
				walk(t, path+"."+key, key, inner)
			}
		case []any:
			empty = len(value) == 0
			for i, inner := range value {
				walk(t, fmt.Sprintf("%s[%d]", path, i), key, inner)
			}
		}
		if empty && !meant[key] {
			t.Errorf("%s is empty", path)
		}
	}
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			for _, object := range renderObjects(t, s.chart, s.release, "prod", s.values) {
				walk(t, object.GetKind(), "", object.Object)
			}
		})
	}
}

// Names stay distinct and legal whatever the release is called, and every label is one that Kubernetes takes.
func TestNamesAndLabelsOfLongReleases(t *testing.T) {
	// Names that the values give, and so the same in every release.
	chosen := map[string]bool{"redis-class": true, "default": true, "orders-backups": true, "shop-uploads": true, "blue": true}
	long := strings.Repeat("a-very-long-name-", 4)[:53]
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			seen := map[string]bool{}
			delete(s.values, "fullnameOverride")
			for _, release := range []string{long[:52] + "x", long[:52] + "y"} {
				for _, object := range renderObjects(t, s.chart, release, strings.Repeat("n", 63), s.values) {
					name, kind := object.GetName(), object.GetKind()
					limit := 63
					switch kind {
					case "StatefulSet", "CronJob":
						limit = 52
					case "StorageClass":
						limit = 253
					}
					if len(name) > limit || len(validation.IsDNS1123Subdomain(name)) > 0 {
						t.Errorf("%s has the name %s, of %d characters", kind, name, len(name))
					}
					id := kind + "/" + name
					if seen[id] && !chosen[name] {
						t.Errorf("%s is there twice", id)
					}
					seen[id] = true
					for key, value := range object.GetLabels() {
						if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
							t.Errorf("%s: label %s: %v", id, key, problems)
						}
					}
				}
			}
		})
	}
}

// A selector is immutable: whatever the values say besides nameOverride, it stays the same.
func TestSelectorsNeverChange(t *testing.T) {
	kinds := map[string]string{"webapp": "Deployment", "database": "StatefulSet"}
	for _, s := range scenarios(t) {
		name, ok := s.values["nameOverride"].(string)
		if !ok {
			name = s.chart
		}
		want := fmt.Sprintf(`{"matchLabels":{"app.kubernetes.io/component":%q,"app.kubernetes.io/instance":%q,"app.kubernetes.io/name":%q}}`,
			map[string]string{"webapp": "web", "database": "database"}[s.chart], s.release, name)
		found := false
		for _, object := range renderObjects(t, s.chart, s.release, "prod", s.values) {
			if object.GetKind() != kinds[s.chart] {
				continue
			}
			found = true
			selector, _, _ := unstructured.NestedMap(object.Object, "spec", "selector")
			got, err := json.Marshal(selector)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != want {
				t.Errorf("%s: selector %s, want %s", s.name, got, want)
			}
		}
		if !found {
			t.Errorf("%s renders no %s", s.name, kinds[s.chart])
		}
	}
}

// Credentials belong into Secrets, and nowhere else.
func TestCredentialsAreOnlyInSecrets(t *testing.T) {
	for _, s := range scenarios(t) {
		for _, object := range renderObjects(t, s.chart, s.release, "prod", s.values) {
			if object.GetKind() == "Secret" {
				continue
			}
			data, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"s3cret", "t0p", "k-123", "CREATE TABLE"} {
				if strings.Contains(string(data), secret) {
					t.Errorf("%s: %s %s shows %q", s.name, object.GetKind(), object.GetName(), secret)
				}
			}
		}
	}
}
