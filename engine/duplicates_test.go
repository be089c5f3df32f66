package engine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/action"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

// byHelm installs templates as Helm 3 does, or upgrades to them.
func (f *fixture) byHelm(templates map[string]string) {
	f.Helper()
	var err error
	if history, _ := action.NewHistory(f.helm()).Run("shop"); len(history) == 0 {
		install := action.NewInstall(f.helm())
		install.ReleaseName, install.Namespace = "shop", f.namespace
		_, err = install.RunWithContext(f.ctx, helmChart(f, templates), nil)
	} else {
		upgrade := action.NewUpgrade(f.helm())
		upgrade.Namespace = f.namespace
		_, err = upgrade.RunWithContext(f.ctx, "shop", helmChart(f, templates), nil)
	}
	if err != nil {
		f.Fatal(err)
	}
}

// texts are the values of one field of the items of a list.
func texts(list any, field string) []string {
	items, _ := list.([]any)
	var out []string
	for _, item := range items {
		out = append(out, fmt.Sprint(at(item, field)))
	}
	return out
}

// Items that are in a list twice are removed, whichever manager applied them, and how.
func TestDuplicatesGo(t *testing.T) {
	pods := func(fields string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 0\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {" + fields + "}\n"
	}
	env := func(items string) string {
		return pods("containers: [{name: web, image: 'web:1', env: [" + items + "]}]")
	}
	ports := func(items string) string {
		return pods("containers: [{name: web, image: 'web:1', ports: [" + items + "]}]")
	}
	container := func(o map[string]any, field string) any {
		return at(first(at(o, "spec", "template", "spec", "containers")), field)
	}
	of := func(list func(o map[string]any) any, field string) func(o map[string]any) []string {
		return func(o map[string]any) []string { return texts(list(o), field) }
	}
	names := of(func(o map[string]any) any { return container(o, "env") }, "name")
	values := of(func(o map[string]any) any { return container(o, "env") }, "value")
	numbers := of(func(o map[string]any) any { return container(o, "ports") }, "containerPort")
	aliases := of(func(o map[string]any) any { return at(o, "spec", "template", "spec", "hostAliases") }, "ip")
	secrets := of(func(o map[string]any) any { return at(o, "spec", "template", "spec", "imagePullSecrets") }, "name")
	keys := of(func(o map[string]any) any { return at(o, "spec", "template", "spec", "tolerations") }, "key")
	const twice = "{name: ONE, value: a}, {name: TWO, value: b}, {name: ONE, value: c}"
	plain := "containers: [{name: web, image: 'web:1'}]"
	for name, c := range map[string]struct {
		helm          []string // installed by Helm, one after the other
		here          string   // applied here before; empty: nothing is
		edit          string   // a JSON patch of another client
		after         string
		path          string
		list          func(o map[string]any) []string
		want          []string
		second        func(o map[string]any) []string
		wants         []string
		force, refuse bool
	}{
		"env, one of them stays":        {helm: []string{env(twice)}, after: env("{name: ONE, value: c}, {name: TWO, value: b}"), list: names, want: []string{"ONE", "TWO"}, second: values, wants: []string{"c", "b"}},
		"env, the first value":          {helm: []string{env(twice)}, after: env("{name: ONE, value: a}, {name: TWO, value: b}"), list: values, want: []string{"a", "b"}},
		"env, a new value":              {helm: []string{env(twice)}, after: env("{name: TWO, value: b}, {name: ONE, value: d}"), list: values, want: []string{"b", "d"}},
		"env, both go":                  {helm: []string{env(twice)}, after: env("{name: TWO, value: b}"), list: names, want: []string{"TWO"}},
		"env, all of it goes":           {helm: []string{env(twice)}, after: pods(plain), list: names},
		"env, three of them":            {helm: []string{env(twice + ", {name: ONE, value: d}, {name: TWO, value: e}")}, after: env("{name: ONE, value: d}"), list: values, want: []string{"d"}},
		"env, by an upgrade of Helm":    {helm: []string{pods(plain), env(twice)}, after: env("{name: ONE, value: c}, {name: TWO, value: b}"), list: values, want: []string{"c", "b"}},
		"env, another one goes as well": {helm: []string{env(twice + ", {name: GONE, value: x}")}, after: env("{name: ONE, value: c}, {name: TWO, value: b}"), list: names, want: []string{"ONE", "TWO"}},
		"a value for a source":          {helm: []string{env(twice)}, after: env("{name: ONE, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: TWO, value: b}"), list: names, want: []string{"ONE", "TWO"}, second: values, wants: []string{"<nil>", "b"}},
		"something else goes too":       {helm: []string{strings.Replace(env(twice), "metadata: {name: web}", "metadata: {name: web, labels: {gone: x}}", 1)}, after: env("{name: ONE, value: c}, {name: TWO, value: b}"), list: func(o map[string]any) []string { return []string{fmt.Sprint(at(o, "metadata", "labels", "gone"))} }, want: []string{"<nil>"}, second: names, wants: []string{"ONE", "TWO"}},
		"ports":                         {helm: []string{ports("{name: a, containerPort: 80}, {name: b, containerPort: 80}")}, after: ports("{name: a, containerPort: 80}"), list: numbers, want: []string{"80"}},
		"ports, and a protocol":         {helm: []string{ports("{name: a, containerPort: 80}, {name: u, containerPort: 80, protocol: UDP}, {name: b, containerPort: 80}")}, after: ports("{name: b, containerPort: 80}, {name: u, containerPort: 80, protocol: UDP}"), list: numbers, want: []string{"80", "80"}},
		"hostAliases":                   {helm: []string{pods(plain + ", hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]")}, after: pods(plain + ", hostAliases: [{ip: 10.0.0.1, hostnames: [a, b]}]"), list: aliases, want: []string{"10.0.0.1"}},
		"hostAliases, all of it goes":   {helm: []string{pods(plain + ", hostAliases: [{ip: 10.0.0.1, hostnames: [a]}, {ip: 10.0.0.1, hostnames: [b]}]")}, after: pods(plain), list: aliases},
		"imagePullSecrets":              {helm: []string{pods(plain + ", imagePullSecrets: [{name: a}, {name: b}, {name: a}]")}, after: pods(plain + ", imagePullSecrets: [{name: b}, {name: a}]"), list: secrets, want: []string{"b", "a"}},
		"tolerations":                   {helm: []string{pods(plain + ", tolerations: [{key: a, operator: Exists}, {key: a, operator: Exists}]")}, after: pods(plain + ", tolerations: [{key: a, operator: Exists}]"), list: keys, want: []string{"a"}},
		"tolerations may be there twice": {helm: []string{pods(plain + ", tolerations: [{key: a, operator: Exists}, {key: b, operator: Exists}, {key: a, operator: Exists}]")}, after: pods(plain + ", tolerations: [{key: a, operator: Exists}, {key: a, operator: Exists}]"),
			list: keys, want: []string{"a", "a"}},
		"a service account's secrets": {helm: []string{"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\nimagePullSecrets: [{name: a}, {name: b}, {name: a}]\n"}, after: "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\nimagePullSecrets: [{name: a}]\n", path: "v1/serviceaccounts/sa",
			list: of(func(o map[string]any) any { return o["imagePullSecrets"] }, "name"), want: []string{"a"}},
		"by hand": {here: env("{name: ONE, value: a}, {name: TWO, value: b}"), edit: `[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"ONE","value":"hand"}}]`,
			after: env("{name: ONE, value: a}, {name: TWO, value: b}"), list: values, want: []string{"a", "b"}, force: true},
		"by hand, and it goes": {here: env("{name: ONE, value: a}, {name: TWO, value: b}"), edit: `[{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"TWO","value":"b"}}]`,
			after: env("{name: ONE, value: a}, {name: TWO, value: b}"), list: values, want: []string{"a", "b"}, force: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			path := webPath
			if c.path != "" {
				path = c.path
			}
			for _, text := range c.helm {
				f.byHelm(map[string]string{"x.yaml": text})
			}
			if c.here != "" {
				f.deploy(f.release(f.chart(map[string]string{"x.yaml": c.here})))
			}
			if c.edit != "" {
				f.change(path, "kubectl-edit", types.JSONPatchType, c.edit)
			}
			r := f.release(f.chart(map[string]string{"x.yaml": c.after}))
			r.Force = c.force
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			o := f.object(path)
			if got := c.list(o); !reflect.DeepEqual(got, c.want) {
				text, _ := json.MarshalIndent(o, "", " ")
				t.Errorf("it is %v, want %v\n%s", got, c.want, text)
			}
			if c.second != nil {
				if got := c.second(o); !reflect.DeepEqual(got, c.wants) {
					t.Errorf("it is %v, want %v", got, c.wants)
				}
			}
			f.settled(r)
		})
	}
}

// A chart that has an item twice is refused: the plan names list, item and
// remedy.
func TestDuplicatesOfTheChart(t *testing.T) {
	web := func(fields string) string { return fmt.Sprintf(plainDeployment, "", ", "+fields) }
	for name, c := range map[string]struct{ chart, field, item string }{
		"env":                    {web("env: [{name: A, value: secret}, {name: B, value: x}, {name: A, value: other}]"), `spec.template.spec.containers[name="web"].env`, `name="A"`},
		"ports":                  {web("ports: [{name: a, containerPort: 80}, {name: b, containerPort: 80}]"), `spec.template.spec.containers[name="web"].ports`, `containerPort=80,protocol="TCP"`},
		"volumeMounts":           {web("volumeMounts: [{name: v, mountPath: '/a b'}, {name: w, mountPath: '/a b'}]"), `spec.template.spec.containers[name="web"].volumeMounts`, `mountPath="/a b"`},
		"an account's secrets":   {"apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: sa}\nsecrets: [{name: a}, {name: a}]\n", "secrets", `name="a"`},
		"a service's ports":      {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{name: a, port: 80}, {name: b, port: 80}]}\n", "spec.ports", `port=80,protocol="TCP"`},
		"finalizers":             {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, finalizers: [example.com/a, example.com/a]}\n", "metadata.finalizers", `"example.com/a"`},
		"topology constraints":   {strings.Replace(web(""), "spec: {containers", "spec: {topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}, {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}], containers", 1), "spec.template.spec.topologySpreadConstraints", `topologyKey="zone"`},
		"containers of one name": {strings.Replace(web(""), "containers: [", "containers: [{name: web, image: 'a:1'}, ", 1), "spec.template.spec.containers", `name="web"`},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(map[string]string{"x.yaml": c.chart}))
			check := func(err error) {
				t.Helper()
				var problem engine.Problem
				if !errors.As(err, &problem) || problem.Kind != engine.ProblemInvalid || len(problem.Fields) != 1 || problem.Fields[0] != c.field {
					t.Fatalf("returned %v, with fields %v", err, problem.Fields)
				}
				for _, want := range []string{c.field, "more than one item with", c.item, "remove all but one"} {
					if !strings.Contains(problem.Error(), want) {
						t.Errorf("it does not say %q: %v", want, problem)
					}
				}
				if strings.Contains(err.Error(), "typed patch object") || strings.Contains(err.Error(), "secret\"") {
					t.Errorf("it is raw: %v", err)
				}
			}
			check(f.plan(r).Err())
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
			check(err)
			p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: engine.DryRunNone})
			if err != nil {
				t.Fatal(err)
			}
			check(p.Err())
		})
	}
}
