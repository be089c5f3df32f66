package charts

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// Each values file, read into the typed values and written again, must render what the file renders.
func TestTypedValuesSayWhatFilesSay(t *testing.T) {
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			data, err := json.Marshal(s.values)
			if err != nil {
				t.Fatal(err)
			}
			typed := reflect.New(valuesTypes[s.chart])
			decoder := json.NewDecoder(bytes.NewReader(data))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(typed.Interface()); err != nil {
				t.Fatal(err)
			}
			values, err := valuesMap(typed.Interface())
			if err != nil {
				t.Fatal(err)
			}
			manifest, err := renderRelease(t, s.chart, s.release, "prod", values)
			if err != nil {
				t.Fatal(err)
			}
			want := read(t, filepath.Join("testdata/golden", s.name+".yaml"))
			if diff := cmp.Diff(want, string(golden(manifest.Files))); diff != "" {
				t.Errorf("the typed values render otherwise (-file +typed):\n%s", diff)
			}
		})
	}
}

func TestZeroTypedValuesSayNothing(t *testing.T) {
	for name, typed := range valuesTypes {
		values, err := valuesMap(reflect.New(typed).Interface())
		if err != nil {
			t.Fatal(err)
		}
		if len(values) > 0 {
			t.Errorf("%s: zero values say %v; the chart's defaults would not hold", name, values)
		}
	}
}

// What Kubernetes' types write unasked must not reach the chart, where it would replace a default or fail the schema.
func TestTypedValuesLeaveOutWhatNobodySet(t *testing.T) {
	values, err := valuesMap(WebAppValues{
		Replicas:  new(int32(0)),
		Sidecars:  []corev1.Container{{Name: "proxy", Image: "proxy:1"}},
		Volumes:   []corev1.Volume{{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		Probes:    Probes{Liveness: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/live"}}}},
		Strategy:  WebAppStrategy{MaxUnavailable: new(intstr.FromInt32(0))},
		Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("50m")}},
		Service:   WebAppService{Enabled: new(false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{}
	const text = `
replicas: 0
sidecars: [{name: proxy, image: "proxy:1"}]
volumes: [{name: cache, emptyDir: {}}]
probes: {liveness: {httpGet: {path: /live}}}
strategy: {maxUnavailable: 0}
resources: {requests: {cpu: 50m}}
service: {enabled: false}
`
	if err := yaml.Unmarshal([]byte(text), &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, values); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The schema is read as anyone else would read it: every field is a property of the same type, every property a field.
func TestSchemaAndStructsHaveTheSameKeys(t *testing.T) {
	for name, typed := range valuesTypes {
		data, err := os.ReadFile(filepath.Join(name, "values.schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(data, &root); err != nil {
			t.Fatal(err)
		}
		w := schemaWalk{t: t, definitions: root["definitions"].(map[string]any), seen: map[string]bool{}}
		w.compare(name, typed, root)
		if len(w.seen) != len(w.definitions) {
			t.Errorf("%s: %d definitions, %d of them used", name, len(w.definitions), len(w.seen))
		}
	}
}

type schemaWalk struct {
	t           *testing.T
	definitions map[string]any
	seen        map[string]bool
}

func (w schemaWalk) compare(path string, t reflect.Type, node map[string]any) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if ref, ok := node["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/definitions/")
		if name != t.Name() {
			w.t.Errorf("%s is a %s in the schema, a %s in Go", path, name, t.Name())
		}
		if w.seen[name] {
			return
		}
		w.seen[name] = true
		node = w.definitions[name].(map[string]any)
	}
	want := map[reflect.Kind]string{
		reflect.Bool: "boolean", reflect.String: "string", reflect.Int32: "integer", reflect.Int64: "integer",
		reflect.Slice: "array", reflect.Map: "object", reflect.Struct: "object",
	}[t.Kind()]
	switch t {
	case reflect.TypeFor[intstr.IntOrString](), reflect.TypeFor[resource.Quantity]():
		if types, ok := node["type"].([]any); !ok || len(types) != 2 {
			w.t.Errorf("%s: type %v, a number or a string was wanted", path, node["type"])
		}
		return
	}
	if t.Kind() == reflect.Interface || strings.HasSuffix(t.Name(), "Time") || t == reflect.TypeFor[[]byte]() || t.Name() == "FieldsV1" {
		return
	}
	if node["type"] != want {
		w.t.Errorf("%s: type %v in the schema, %v in Go", path, node["type"], want)
	}
	switch t.Kind() {
	case reflect.Slice:
		w.compare(path+"[]", t.Elem(), node["items"].(map[string]any))
	case reflect.Map:
		values, _ := node["additionalProperties"].(map[string]any)
		if patterns, ok := node["patternProperties"].(map[string]any); ok {
			for _, only := range patterns {
				values = only.(map[string]any)
			}
		}
		w.compare(path+".*", t.Elem(), values)
	case reflect.Struct:
		properties, _ := node["properties"].(map[string]any)
		var keys []string
		for _, field := range reflect.VisibleFields(t) {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			outer, _, _ := strings.Cut(t.Field(field.Index[0]).Tag.Get("json"), ",")
			if key == "" || key == "-" || len(field.Index) > 1 && outer != "" {
				continue
			}
			keys = append(keys, key)
			if property, ok := properties[key].(map[string]any); ok {
				w.compare(path+"."+key, field.Type, property)
			} else {
				w.t.Errorf("%s.%s is in Go, not in the schema", path, key)
			}
		}
		for key := range properties {
			if !slices.Contains(keys, key) {
				w.t.Errorf("%s.%s is in the schema, not in Go", path, key)
			}
		}
		if node["additionalProperties"] != false {
			w.t.Errorf("%s lets unknown keys pass", path)
		}
	}
}
