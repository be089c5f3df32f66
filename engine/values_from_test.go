package engine_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

func (f *fixture) valuesObjects() {
	f.Helper()
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "defaults"}, Data: map[string]string{
		"values.yaml": "color: red\nsize: 1\nlist: [1]\n", "other": "size: 2\n", "text": "a,b=c\n",
	}}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "login"}, Data: map[string][]byte{
		"values.yaml": []byte("login:\n  user: joseph-the-admin\n"), "password": []byte("correct,horse=battery"), "broken": []byte("a: [correct-horse-battery"),
	}}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, cm, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
	if _, err := f.client.CoreV1().Secrets(f.namespace).Create(f.ctx, secret, metav1.CreateOptions{}); err != nil {
		f.Fatal(err)
	}
}

const showsValues = `
apiVersion: v1
kind: ConfigMap
metadata: {name: shown}
data:
  values: {{ toJson .Values | quote }}
`

// Values come from ConfigMaps and Secrets, in order, and those of the release are
// over them. What a Secret gives is hidden, and a stored plan notices that it changed.
func TestValuesFrom(t *testing.T) {
	f := newFixture(t)
	f.valuesObjects()
	r := f.release(f.chart(map[string]string{"a.yaml": showsValues}), "size=3")
	r.ValuesFrom = []engine.ValuesFrom{
		{Kind: "ConfigMap", Name: "defaults"}, {Kind: "ConfigMap", Name: "defaults", Key: "other"},
		{Kind: "ConfigMap", Name: "defaults", Key: "text", TargetPath: "texts.one"},
		{Kind: "Secret", Name: "login"}, {Kind: "Secret", Name: "login", Key: "password", TargetPath: "login.password"},
		{Kind: "Secret", Name: "nowhere", Optional: true}, {Kind: "Secret", Name: "login", Key: "nothing", Optional: true},
	}
	plan, err := f.keyed().Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stored, text := f.store(plan)
	var report strings.Builder
	if err := plan.Report.WriteText(&report, diff.TextOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"joseph", "correct", "battery"} {
		if strings.Contains(text+report.String(), secret) {
			t.Errorf("the plan shows %s:\n%s", secret, &report)
		}
	}
	if _, err := f.keyed().Apply(f.ctx, stored, engine.ApplyOptions{Release: &r}); err != nil {
		t.Fatal(err)
	}
	cm, err := f.client.CoreV1().ConfigMaps(f.namespace).Get(f.ctx, "shown", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"color":"red","list":[1],"login":{"password":"correct,horse=battery","user":"joseph-the-admin"},"size":3,"texts":{"one":"a,b=c\n"}}`
	if got := cm.Data["values"]; got != want {
		t.Errorf("the values are %s, want %s", got, want)
	}
	f.requests.Reset()
	f.deploy(r)
	if writes := f.writes(); len(writes) > 0 {
		t.Errorf("deployed again: %v", writes)
	}

	next := r
	next.Values = f.release(r.Source, "size=4").Values
	if plan, err = f.keyed().Plan(f.ctx, next, engine.PlanOptions{}); err != nil {
		t.Fatal(err)
	}
	stored, _ = f.store(plan)
	f.edit("secrets", "login", "kubectl", `{"stringData":{"password":"another-password"}}`)
	var stale *engine.StalePlanError
	if _, err := f.keyed().Apply(f.ctx, stored, engine.ApplyOptions{Release: &next}); !errors.As(err, &stale) || stale.Field != "values" {
		t.Errorf("with another password: %v", err)
	}
}

// A plan that did not leave the process is applied with the values that it was
// made with: manifest and values of a revision belong together.
func TestValuesFromOfAPlanInMemory(t *testing.T) {
	f := newFixture(t)
	f.valuesObjects()
	r := f.release(f.chart(map[string]string{"a.yaml": showsValues}))
	r.ValuesFrom = []engine.ValuesFrom{{Kind: "ConfigMap", Name: "defaults"}}
	p := f.plan(r)
	if err := f.client.CoreV1().ConfigMaps(f.namespace).Delete(f.ctx, "defaults", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	stored, err := f.engine.Get(f.ctx, f.key, 0)
	if err != nil {
		t.Fatal(err)
	}
	if color := stored.Values.Map()["color"]; color != "red" {
		t.Errorf("the color that is recorded is %v", color)
	}
}

func TestValuesFromErrors(t *testing.T) {
	f := newFixture(t)
	f.valuesObjects()
	for name, c := range map[string]struct {
		from engine.ValuesFrom
		want string
		is   error
	}{
		"no object":    {engine.ValuesFrom{Kind: "ConfigMap", Name: "nowhere"}, "nowhere", nil},
		"no key":       {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "nothing"}, `no key "nothing"`, nil},
		"broken":       {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "broken"}, "Secret login, key broken", nil},
		"path":         {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "password", TargetPath: "a[x"}, "TargetPath", nil},
		"two paths":    {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "password", TargetPath: "a.b,c=d"}, "Release.ValuesFrom[0].TargetPath", engine.ErrInvalidOptions},
		"a value":      {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "password", TargetPath: "a=b"}, "Release.ValuesFrom[0].TargetPath", engine.ErrInvalidOptions},
		"open escape":  {engine.ValuesFrom{Kind: "Secret", Name: "login", Key: "password", TargetPath: `a\`}, "Release.ValuesFrom[0].TargetPath", engine.ErrInvalidOptions},
		"another kind": {engine.ValuesFrom{Kind: "Pod", Name: "login"}, "Release.ValuesFrom[0].Kind", engine.ErrInvalidOptions},
		"no name":      {engine.ValuesFrom{Kind: "Secret"}, "Release.ValuesFrom[0].Name", engine.ErrInvalidOptions},
	} {
		r := f.release(f.chart(map[string]string{"a.yaml": showsValues}))
		r.ValuesFrom = []engine.ValuesFrom{c.from}
		_, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		} else if text := err.Error(); strings.Contains(text, "correct") || strings.Contains(text, "horse") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A target path is that of helm --set, and whatever the text has becomes the value.
func TestValuesFromTargetPaths(t *testing.T) {
	f := newFixture(t)
	texts := map[string]string{"list": "{a,b}", "slash": `a\b\,c`, "null": "null", "number": "5", "empty": "", "lines": "a\nb: {c}\n", "set": "x=1,y=2", "index": "[0]"}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "texts"}, Data: texts}
	if _, err := f.client.CoreV1().ConfigMaps(f.namespace).Create(f.ctx, cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r := f.release(f.chart(map[string]string{"a.yaml": showsValues}))
	want := map[string]any{}
	for key, text := range texts {
		r.ValuesFrom = append(r.ValuesFrom, engine.ValuesFrom{Kind: "ConfigMap", Name: "texts", Key: key, TargetPath: `t\.ls.` + key + "[0]"})
		want[key] = []any{text}
	}
	f.deploy(r)
	shown := map[string]any{}
	if err := json.Unmarshal([]byte(f.object("v1/configmaps/shown")["data"].(map[string]any)["values"].(string)), &shown); err != nil {
		t.Fatal(err)
	}
	if got := shown["t.ls"]; !reflect.DeepEqual(got, want) {
		t.Errorf("the values are %v, want %v", shown, want)
	}
}
