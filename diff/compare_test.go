package diff

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestCauses has a simple case of each cause, and the edge cases between them.
func TestCauses(t *testing.T) {
	head := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w, namespace: s%s}\n"
	managed := func(manager, op, fields string) string {
		return fmt.Sprintf(", managedFields: [{manager: %s, operation: %s, apiVersion: apps/v1, fieldsType: FieldsV1, fieldsV1: %s}]", manager, op, fields)
	}
	replicas := `{"f:spec": {"f:replicas": {}}}`
	for name, tc := range map[string]struct {
		meta                        string // more of live's metadata
		base, live, desired, merged string
		former                      []string
		force                       bool
		want                        []string
	}{
		"chart":                         {base: "spec: {replicas: 1}", live: "spec: {replicas: 1}", desired: "spec: {replicas: 2}", want: []string{"Chart spec.replicas 1 2"}},
		"chart over drift":              {base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {replicas: 2}", want: []string{"Chart spec.replicas 3 2"}},
		"drift towards the chart":       {base: "spec: {replicas: 1}", live: "spec: {replicas: 2}", desired: "spec: {replicas: 2}"},
		"drift":                         {base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {replicas: 1}", want: []string{"Drift spec.replicas 3 1"}},
		"drift of what was not applied": {base: "spec: {}", live: "spec: {replicas: 3}", desired: "spec: {}"},
		"removed":                       {base: "spec: {replicas: 1, paused: true}", live: "spec: {replicas: 1, paused: true}", desired: "spec: {replicas: 1}", want: []string{"Removed spec.paused true <nil>"}},
		"removed, back to default":      {base: "spec: {replicas: 3}", live: "spec: {replicas: 3}", desired: "spec: {}", merged: "spec: {replicas: 1}", want: []string{"Removed spec.replicas 3 1"}},
		"default":                       {base: "spec: {}", live: "spec: {}", desired: "spec: {}", merged: "spec: {replicas: 1}", want: []string{"Default spec.replicas <nil> 1"}},
		"admission changes":             {base: "spec: {replicas: 1}", live: "spec: {replicas: 1}", desired: "spec: {replicas: 1}", merged: "spec: {replicas: 9}", want: []string{"Default spec.replicas 1 9"}},
		"conflict": {meta: managed("hpa", "Update", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {replicas: 1}",
			want: []string{"Conflict spec.replicas 3 1 hpa"}},
		"conflict, forced": {meta: managed("hpa", "Update", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {replicas: 1}", force: true,
			want: []string{"Drift spec.replicas 3 1 hpa"}},
		"former manager": {meta: managed("helm", "Update", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {replicas: 1}", former: []string{"helm"},
			want: []string{"Drift spec.replicas 3 1"}},
		"ours": {meta: managed("fairlead", "Apply", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 1}", desired: "spec: {replicas: 2}",
			want: []string{"Chart spec.replicas 1 2"}},
		"ours by name, but an update": {meta: managed("fairlead", "Update", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 1}", desired: "spec: {replicas: 2}",
			want: []string{"Conflict spec.replicas 1 2 fairlead"}},
		"removed, owned by another too": {meta: managed("hpa", "Update", replicas), base: "spec: {replicas: 1}", live: "spec: {replicas: 3}", desired: "spec: {}"},
		"applied, but not in base": {meta: managed("fairlead", "Apply", replicas), base: "spec: {}", live: "spec: {replicas: 3}", desired: "spec: {}", merged: "spec: {}",
			want: []string{"Removed spec.replicas 3 <nil>"}},
		"quantities":     {base: "spec: {resources: {limits: {cpu: 1000m}}}", live: "spec: {resources: {limits: {cpu: 1}}}", desired: "spec: {resources: {limits: {cpu: 1.0}}}"},
		"not a quantity": {base: "spec: {a: 1000m}", live: "spec: {a: '1'}", desired: "spec: {a: 1000m}", want: []string{"Drift spec.a 1 1000m"}},
		"empty":          {base: "spec: {l: [], nodeSelector: {}, n: null}", live: "spec: {}", desired: "spec: {l: [], nodeSelector: {}, n: null}"},
		"empty struct":   {base: "spec: {}", live: "spec: {}", desired: "spec: {emptyDir: {}}", want: []string{"Chart spec.emptyDir <nil> map[]"}},
		"map with keys to quote": {base: "metadata: {name: w}", live: "metadata: {name: w, annotations: {a.b/c: x}}", desired: "metadata: {name: w, annotations: {a.b/c: 'y'}}",
			want: []string{`Chart metadata.annotations["a.b/c"] x y`}},
		"order of items": {base: "spec: {volumes: [{name: a}, {name: b}]}", live: "spec: {volumes: [{name: a}, {name: b}]}", desired: "spec: {volumes: [{name: b}, {name: a}]}",
			want: []string{`Chart spec.volumes [name="a" name="b"] [name="b" name="a"]`}},
		"atomic list":                         {base: "spec: {args: [a]}", live: "spec: {args: [a]}", desired: "spec: {args: [b, a]}", want: []string{"Chart spec.args [a] [b a]"}},
		"defaults in an atomic list are kept": {base: "spec: {volumeClaimTemplates: [{metadata: {name: d}}]}", live: "spec: {volumeClaimTemplates: [{kind: PersistentVolumeClaim, metadata: {name: d}, spec: {volumeMode: Filesystem}}]}", desired: "spec: {volumeClaimTemplates: [{metadata: {name: d}}]}"},
		"a new item with defaults": {base: "spec: {volumes: []}", live: "spec: {}", desired: "spec: {volumes: [{name: a, secret: {secretName: s}}]}", merged: "spec: {volumes: [{name: a, secret: {secretName: s, defaultMode: 420}}]}",
			want: []string{"Chart spec.volumes <nil> [map[name:a secret:map[secretName:s]]]", `Default spec.volumes[name="a"].secret.defaultMode <nil> 420`}},
	} {
		t.Run(name, func(t *testing.T) {
			mk := func(meta, body string) string {
				if strings.HasPrefix(body, "metadata:") {
					return "apiVersion: apps/v1\nkind: Deployment\n" + body
				}
				return fmt.Sprintf(head, meta) + body
			}
			in := Input{Manager: "fairlead", Base: object(t, mk("", tc.base)), Live: object(t, mk(tc.meta, tc.live)), Desired: object(t, mk("", tc.desired))}
			if tc.merged != "" {
				in.Merged = object(t, mk("", tc.merged))
			}
			ch, err := Compare(in, Options{FormerManagers: tc.former, Force: tc.force})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range ch.Fields {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %v %v %s", f.Cause, f.Path, f.Live, f.Desired, f.Manager)))
			}
			if !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestActions(t *testing.T) {
	o := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop}}")
	kept := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: shop, annotations: {helm.sh/resource-policy: keep}}}")
	for name, tc := range map[string]struct {
		in   Input
		want Action
	}{
		"created":       {Input{Desired: o}, Created},
		"created again": {Input{Base: o, Desired: o}, Created},
		"adopted":       {Input{Live: o, Desired: o}, Adopted},
		"unchanged":     {Input{Base: o, Live: o, Desired: o}, Unchanged},
		"updated":       {Input{Base: o, Live: o, Desired: kept}, Updated},
		"deleted":       {Input{Base: o, Live: o}, Deleted},
		"kept":          {Input{Base: o, Live: kept}, Kept},
		"kept by base":  {Input{Base: kept, Live: o}, Kept},
		"gone":          {Input{Base: o}, Unchanged},
	} {
		ch, err := Compare(tc.in, Options{})
		if err != nil || ch.Action != tc.want || ch.Object.String() != "ConfigMap shop/a" {
			t.Errorf("%s: got %s %s %v, want %s", name, ch.Action, ch.Object, err, tc.want)
		}
	}
}

func TestBadInput(t *testing.T) {
	a := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}")
	b := object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}")
	var ie *IdentityError
	if _, err := Compare(Input{Live: a, Desired: b}, Options{}); !errors.As(err, &ie) || ie.Other.Name != "b" {
		t.Errorf("two objects: %v", err)
	}
	if _, err := Compare(Input{}, Options{}); !errors.As(err, &ie) {
		t.Errorf("no object: %v", err)
	}
	cyclic := map[string]any{}
	cyclic["self"] = cyclic
	a.Object["data"] = cyclic
	if _, err := Compare(Input{Desired: a}, Options{}); err == nil {
		t.Error("a cyclic value was compared")
	}
	b.Object["data"] = func() {}
	if _, err := Compare(Input{Desired: b}, Options{}); err == nil {
		t.Error("a function was compared")
	}
	var rep Report
	var se *SchemaError
	if err := json.Unmarshal([]byte(`{"schema":"fairlead.dev/report/v9","changes":[]}`), &rep); !errors.As(err, &se) {
		t.Errorf("unknown schema: %v", err)
	}
}

func TestLookup(t *testing.T) {
	u := object(t, `{metadata: {annotations: {a.b/c: x}}, spec: {l: [[1, 2.5]], ports: [{port: 80}, {port: 53, protocol: UDP}], env: [{name: "a]\"b", value: v}], set: [q], no: null}}`)
	for p, want := range map[string]any{
		`metadata.annotations["a.b/c"]`:      "x",
		`spec.ports[port=80,protocol="TCP"]`: map[string]any{"port": int64(80)},
		`spec.ports[port=53].protocol`:       "UDP",
		`spec.env[name="a]\"b"].value`:       "v",
		`spec.set[="q"]`:                     "q",
		`spec.l[0][1]`:                       2.5,
		`spec.l[7]`:                          nil,
		`spec.no`:                            nil,
		`spec.ports[port=53,protocol="TCP"]`: nil,
		`status.replicas`:                    nil,
	} {
		got, found, err := Lookup(u, p)
		if err != nil || found != (want != nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v %v %v, want %v", p, got, found, err, want)
		}
	}
	var pe *PathError
	for _, p := range []string{"a.", ".a", "a[", "a[x]", "a[=", `a["x`, "a[0", "a[k=]", "a b", "a[99999999999999999999]"} {
		if _, _, err := Lookup(u, p); !errors.As(err, &pe) {
			t.Errorf("%q was read: %v", p, err)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add(`a.b["c d"][name="x",port=80][0][="s"]`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePath(s)
		if err != nil {
			return
		}
		q, err := parsePath(p.String())
		if err != nil || p.String() != q.String() {
			t.Errorf("%q is written %q, which reads as %q: %v", s, p, q, err)
		}
	})
}

func TestSummary(t *testing.T) {
	f := func(c Cause, p string) Field { return Field{Path: p, Cause: c} }
	rep := Report{Changes: []Change{
		{Action: Created}, {Action: Created}, {Action: Replaced}, {Action: Unchanged},
		{Action: Updated, Fields: []Field{f(Chart, `spec.template.spec.containers[name="web"].image`), f(Conflict, "spec.replicas"), f(Chart, `metadata.annotations["kubernetes.io/change-cause"]`)}},
		{Action: Unchanged, Fields: []Field{f(Drift, "a")}}, {Action: Unchanged, Fields: []Field{f(Drift, "a")}}, {Action: Unchanged, Fields: []Field{f(Drift, "a"), f(Drift, "b")}},
	}}
	if got, want := rep.Summary(), "2 to create, 1 to update (image), 1 to replace, 3 drifted, 1 conflict"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := (Report{}).Summary(); got != "no changes" {
		t.Errorf("empty: %s", got)
	}
}

// The status of an autoscaler is in annotations where it is read as v1: it is no
// change.
func TestStatusInAnnotationsIsNoChange(t *testing.T) {
	scaler := func(annotations map[string]any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
			"metadata": map[string]any{"name": "web", "namespace": "shop", "annotations": annotations},
			"spec":     map[string]any{"maxReplicas": int64(3)},
		}}
	}
	live := scaler(map[string]any{"autoscaling.alpha.kubernetes.io/conditions": "[]", "autoscaling.alpha.kubernetes.io/current-metrics": "[]", "team": "a"})
	desired := scaler(map[string]any{"team": "a"})
	change, err := Compare(Input{Base: desired, Live: live, Desired: desired, Merged: desired}, Options{})
	if err != nil || change.Action != Unchanged || len(change.Fields) > 0 {
		t.Errorf("%v, %+v", err, change)
	}
}
