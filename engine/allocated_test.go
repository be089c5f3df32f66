package engine_test

import (
	"fmt"
	"hash/crc32"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

const (
	serviceReplaced = "apiVersion: v1\nkind: Service\nmetadata: {name: s, annotations: {fairlead.dev/replace: recreate}}\nspec: {%s}\n"
	jobOf           = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j, annotations: {fairlead.dev/replace: recreate}}\nspec: {template: {%sspec: {restartPolicy: Never, containers: [{name: a, image: '%s'}]}}}\n"
	podOf           = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {%s}\n"
)

// What the API server chooses anew for each request is unknown until it is
// applied: what a dry-run invents is not shown, and makes no stored plan stale.
func TestWhatIsAllocatedIsUnknown(t *testing.T) {
	const uid, label = `labels["batch.kubernetes.io/controller-uid"]`, "batch.kubernetes.io/controller-uid"
	ofJob := []string{`spec.selector.matchLabels["batch.kubernetes.io/controller-uid"]`, "spec.template.metadata.labels.controller-uid", "spec.template.metadata." + uid}
	addresses := []string{"spec.clusterIP", "spec.clusterIPs[0]"}
	for name, c := range map[string]struct {
		before, after string
		want          []string // what is unknown
		text          string   // what the report says, beside
	}{
		"a new Service":             {"", fmt.Sprintf(serviceOf, "ports: [{port: 80}]"), addresses, "spec.clusterIP"},
		"a new Service with a port": {"", fmt.Sprintf(serviceOf, "type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 81, nodePort: FREE}]"), append(addresses, `spec.ports[port=80,protocol="TCP"].nodePort`), "NodePort"},
		"a new headless Service":    {"", fmt.Sprintf(serviceOf, "clusterIP: None, ports: [{port: 80}]"), nil, "None"},
		"a health check":            {"", fmt.Sprintf(serviceOf, "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80}]"), append(addresses, "spec.healthCheckNodePort", `spec.ports[port=80,protocol="TCP"].nodePort`), ""},
		"a health check of a balancer": {fmt.Sprintf(serviceOf, "type: LoadBalancer, ports: [{port: 80, nodePort: FREE}]"), fmt.Sprintf(serviceOf, "type: LoadBalancer, externalTrafficPolicy: Local, ports: [{port: 80, nodePort: FREE}]"),
			[]string{"spec.healthCheckNodePort"}, "Local"},
		"ports of a Service": {fmt.Sprintf(serviceOf, "ports: [{name: a, port: 80}]"), fmt.Sprintf(serviceOf, "type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 82}]"),
			[]string{`spec.ports[port=80,protocol="TCP"].nodePort`, `spec.ports[port=82,protocol="TCP"].nodePort`}, "NodePort"},
		"a node port that stays":        {fmt.Sprintf(serviceOf, "type: NodePort, ports: [{name: a, port: 80}]"), fmt.Sprintf(serviceOf, "type: NodePort, ports: [{name: a, port: 83}]"), nil, ""},
		"a name that becomes a Service": {fmt.Sprintf(serviceOf, "type: ExternalName, externalName: a.example.com"), fmt.Sprintf(serviceOf, "ports: [{port: 80}]"), addresses, ""},
		"a Service that is replaced": {fmt.Sprintf(serviceReplaced, "clusterIP: None, ports: [{port: 80}]"), fmt.Sprintf(serviceReplaced, "type: NodePort, ports: [{port: 80}]"),
			append(addresses, `spec.ports[port=80,protocol="TCP"].nodePort`), "spec.type"},
		"a new Job":              {"", fmt.Sprintf(jobOf, "", "a:1"), ofJob, "batch.kubernetes.io/job-name"},
		"a new Job with labels":  {"", fmt.Sprintf(jobOf, "metadata: {labels: {a: b}}, ", "a:1"), ofJob, "batch.kubernetes.io/job-name"},
		"a Job that is replaced": {fmt.Sprintf(jobOf, "", "a:1"), fmt.Sprintf(jobOf, "", "a:2"), ofJob, "a:2"},
		"a Job with a selector":  {"", "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {manualSelector: true, selector: {matchLabels: {" + label + ": x}}, template: {metadata: {labels: {" + label + ": x}}, spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n", nil, label},
		"a new Pod": {"", fmt.Sprintf(podOf, "containers: [{name: a, image: 'a:1'}, {name: b, image: b, volumeMounts: [{name: x, mountPath: /x}]}], volumes: [{name: x, emptyDir: {}}]"),
			[]string{`spec.containers[name="a"].volumeMounts[0].name`, `spec.containers[name="b"].volumeMounts[mountPath="/var/run/secrets/kubernetes.io/serviceaccount"].name`, `spec.volumes[name="(known after apply)"]`}, "/var/run/secrets/kubernetes.io/serviceaccount"},
		"a new Pod without a token": {"", fmt.Sprintf(podOf, "automountServiceAccountToken: false, containers: [{name: a, image: 'a:1'}]"), nil, "a:1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			e := f.newEngineWith(engine.Options{PlanKey: []byte(strings.Repeat("k", 32))})
			free := fmt.Sprint(31000 + crc32.ChecksumIEEE([]byte(f.namespace))%700) // another one in each run
			release := func(text string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": strings.ReplaceAll(text, "FREE", free)}))
			}
			if c.before != "" {
				if _, err := e.Deploy(f.ctx, release(c.before), engine.ApplyOptions{NoWait: true}); err != nil {
					t.Fatal(err)
				}
			}
			r := release(c.after)
			plan := func() *engine.Plan {
				p, err := e.Plan(f.ctx, r, engine.PlanOptions{})
				if err != nil || p.Err() != nil {
					t.Fatal(err, p.Err())
				}
				return p
			}
			p := plan()
			if len(p.Report.Changes) != 1 {
				t.Fatalf("changes are %v", p.Report.Changes)
			}
			change := p.Report.Changes[0]
			got := change.Unknown()
			slices.Sort(got)
			want := slices.Sorted(slices.Values(c.want))
			if !slices.Equal(got, want) {
				t.Errorf("unknown are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if again := plan().Report.Changes[0]; !reflect.DeepEqual(again.Fields, change.Fields) {
				t.Errorf("another plan has\n%v\nafter\n%v", again.Fields, change.Fields)
			}
			for format, text := range formats(t, p.Report) {
				if !strings.Contains(text, c.text) || format == "json" && strings.Contains(text, "fairlead.dev/unknown") != (c.want != nil) || format != "json" && strings.Contains(text, "(known after apply)") != (c.want != nil) {
					t.Errorf("%s:\n%s", format, text)
				}
			}
			stored, _ := f.store(p)
			if _, err := e.Apply(f.ctx, stored, engine.ApplyOptions{Release: &r, NoWait: true}); err != nil {
				t.Fatal(err)
			}
			after := plan()
			if after.Changed() {
				t.Errorf("the same once more changes %v", after.Report.Changes)
			}
		})
	}
}

// formats is a report in all formats.
func formats(t *testing.T, r diff.Report) map[string]string {
	t.Helper()
	out := map[string]string{}
	for name, write := range map[string]func(*strings.Builder) error{
		"text":     func(b *strings.Builder) error { return r.WriteText(b, diff.TextOptions{Width: 300, Verbose: true}) },
		"markdown": func(b *strings.Builder) error { return r.WriteMarkdown(b, diff.MarkdownOptions{Verbose: true}) },
		"html":     func(b *strings.Builder) error { return r.WriteHTML(b, diff.HTMLOptions{}) },
		"json": func(b *strings.Builder) error {
			text, err := r.MarshalJSON()
			b.Write(text)
			return err
		},
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.String()
	}
	return out
}
