package order

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

func TestReferences(t *testing.T) {
	for text, want := range map[string]string{
		"apps/namespaces/shop/Deployment/web":                "{apps  Deployment shop web}",
		" /namespaces/shop/ConfigMap/a ,\n/Namespace/shop\n": "{  ConfigMap shop a} {  Namespace  shop}",
		"storage.k8s.io/StorageClass/fast":                   "{storage.k8s.io  StorageClass  fast}",
		"":                                                   "",
		"Deployment/web":                                     "error",
		"apps/namespace/shop/Deployment/web":                 "error",
		"apps/namespaces//Deployment/web":                    "error",
		"apps/namespaces/shop/Deployment/":                   "error",
		"apps/v1/namespaces/shop/Deployment/web":             "error",
		"/ConfigMap/a,":                                      "error",
	} {
		refs, err := References(annotated(DependsOn, text))
		got := strings.Trim(fmt.Sprintf("%v", plainObjects(refs)), "[]")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
		for _, o := range refs {
			if again, err := References(annotated(DependsOn, Reference(o))); err != nil || len(again) != 1 || again[0] != o {
				t.Errorf("%q is read as %v, %v", Reference(o), again, err)
			}
		}
	}
}

func annotated(key, value string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetAnnotations(map[string]string{key: value})
	return u
}

// plainObjects print their fields.
func plainObjects(objects []diff.Object) []struct{ Group, Version, Kind, Namespace, Name string } {
	var out []struct{ Group, Version, Kind, Namespace, Name string }
	for _, o := range objects {
		out = append(out, struct{ Group, Version, Kind, Namespace, Name string }(o))
	}
	return out
}

func TestWaveOf(t *testing.T) {
	for text, want := range map[string]int{"3": 3, " -2 ": -2, "": 0} {
		for _, key := range []string{Wave, SyncWave} {
			if got, err := WaveOf(annotated(key, text)); err != nil || got != want {
				t.Errorf("%s %q: %d, %v", key, text, got, err)
			}
		}
	}
	for _, text := range []string{"first", "1.5", "99999999999"} {
		if _, err := WaveOf(annotated(Wave, text)); err == nil {
			t.Errorf("wave %q is accepted", text)
		}
		if got, err := WaveOf(annotated(SyncWave, text)); err != nil || got != 0 {
			t.Errorf("sync-wave %q: %d, %v", text, got, err)
		}
	}
	if Annotated(nil) || Annotated(annotated("a", "b")) || !Annotated(annotated(SyncWave, "1")) {
		t.Error("Annotated is wrong")
	}
}

func TestStages(t *testing.T) {
	kinds := []string{"Gadget", "Deployment", "Namespace", "Ingress", "ConfigMap", "Job", "Secret", "APIService"}
	self := func(s string) string { return s }
	sorted := Sort(kinds, self)
	if got, want := strings.Join(sorted, " "), "Namespace ConfigMap Secret Deployment Job Ingress Gadget APIService"; got != want {
		t.Errorf("sorted %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(Stages(sorted, Stage)), "[[Namespace] [ConfigMap Secret] [Deployment Job] [Ingress] [Gadget] [APIService]]"; got != want {
		t.Errorf("stages %s, want %s", got, want)
	}
	if Stages(nil, Stage) != nil {
		t.Error("nothing has a stage")
	}
}
