package engine_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// created is what the API server would make of the object of a manifest if it
// did not exist, without what it allocates.
func (f *fixture) created(path, manifest string) map[string]any {
	f.Helper()
	u := &unstructured.Unstructured{}
	docs := strings.Split(manifest, "---\n") // the last one is of the object
	if err := yaml.Unmarshal([]byte(docs[len(docs)-1]), &u.Object); err != nil {
		f.Fatal(err)
	}
	u.SetName("created-anew")
	data, err := json.Marshal(u.Object)
	if err != nil {
		f.Fatal(err)
	}
	collection := f.path(path[:strings.LastIndex(path, "/")+1] + "x")
	if data, err = f.client.CoreV1().RESTClient().Post().AbsPath(strings.TrimSuffix(collection, "/x")).Param("dryRun", "All").Body(data).DoRaw(f.ctx); err != nil {
		f.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		f.Fatal(err)
	}
	return withoutAllocated(out)
}

func withoutAllocated(o map[string]any) map[string]any {
	out := maps.Clone(o)
	for _, field := range []string{"metadata", "status"} {
		delete(out, field)
	}
	if spec, ok := o["spec"].(map[string]any); ok && o["kind"] == "Job" { // with its UID and name
		delete(spec, "selector")
		delete(at(spec, "template").(map[string]any), "metadata")
	}
	if spec, ok := o["spec"].(map[string]any); ok && o["kind"] == "Service" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
		delete(spec, "healthCheckNodePort")
		ports, _ := spec["ports"].([]any)
		for _, p := range ports {
			delete(p.(map[string]any), "nodePort")
		}
	}
	return out
}

// planned plans and applies, and checks that the plan has the fields that change.
func (f *fixture) planned(path string, plan func() (*engine.Plan, error), o engine.ApplyOptions) *engine.Plan {
	f.Helper()
	was := f.object(path)
	p, err := plan()
	if err != nil {
		f.Fatal(err)
	}
	o.NoWait = true
	if _, err := f.engine.Apply(f.ctx, p, o); err != nil {
		f.Fatal(err)
	}
	f.wantFields(p, path[strings.LastIndex(path, "/")+1:], was, f.object(path))
	return p
}

const (
	podsOf     = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {%s}}}\n"
	policyOf   = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: net}\nspec: {podSelector: {}%s}\n"
	daemonsOf  = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: {matchLabels: {a: b}}%s, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n"
	setOf      = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {replicas: 0, serviceName: d, selector: {matchLabels: {a: b}}%s, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n"
	serviceOf  = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {%s}\n"
	scalerOf   = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}%s}\n"
	cronOf     = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '0 0 1 1 *', jobTemplate: {spec: {template: {spec: {restartPolicy: Never, %s}}}}}\n"
	replicasOf = "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: r}\nspec: {replicas: 0, template: {metadata: {labels: {%s}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n"
)

// What the API server derives from other fields follows these: after the deploy
// the object is as if it were created from the manifest. Each default of the API
// server that depends on other fields has a case, and so have the exclusive fields
// that it fills.
func TestDerivedFieldsFollow(t *testing.T) {
	const container = "containers: [{name: web, image: 'web:1'}]"
	tagged := func(image string) string {
		return "containers: [{name: web, image: " + image + "}], initContainers: [{name: init, image: 'init:1'}]"
	}
	for name, c := range map[string]struct {
		manifest, path, before, after string
	}{
		"egress leaves a policy":            {policyOf, "networking.k8s.io/v1/networkpolicies/net", ", egress: [{}]", ""},
		"egress comes to a policy":          {policyOf, "networking.k8s.io/v1/networkpolicies/net", "", ", egress: [{}]"},
		"egress is emptied":                 {policyOf, "networking.k8s.io/v1/networkpolicies/net", ", egress: [{}]", ", egress: []"},
		"policy types leave":                {policyOf, "networking.k8s.io/v1/networkpolicies/net", ", policyTypes: [Egress]", ""},
		"daemons are updated by hand":       {daemonsOf, "apps/v1/daemonsets/d", "", ", updateStrategy: {type: OnDelete}"},
		"parameters of daemons leave":       {daemonsOf, "apps/v1/daemonsets/d", ", updateStrategy: {rollingUpdate: {maxUnavailable: 3}}", ", updateStrategy: {type: OnDelete}"},
		"stateful pods are updated by hand": {setOf, "apps/v1/statefulsets/d", "", ", updateStrategy: {type: OnDelete}"},
		"a service account leaves":          {podsOf, webPath, "serviceAccountName: a, " + container, container},
		"a service account by its old name": {podsOf, webPath, "serviceAccount: a, " + container, "serviceAccount: b, " + container},
		"an old name leaves":                {podsOf, webPath, "serviceAccount: a, " + container, container},
		"a service account by another name": {podsOf, webPath, "serviceAccountName: a, " + container, "serviceAccount: b, " + container},
		"a tag that is not the latest":      {podsOf, webPath, tagged("web"), tagged("'web:2'")},
		"a tag that is the latest":          {podsOf, webPath, tagged("'registry.example.com:5000/web:2'"), tagged("'registry.example.com:5000/web:latest'")},
		"a digest":                          {podsOf, webPath, tagged("web"), tagged("web@sha256:" + strings.Repeat("0", 64))},
		"a pull policy leaves":              {podsOf, webPath, "containers: [{name: web, image: 'web:1', imagePullPolicy: Never}]", "containers: [{name: web, image: 'web:latest'}]"},
		"an image volume":                   {podsOf, webPath, container + ", volumes: [{name: v, image: {reference: 'v:1'}}]", container + ", volumes: [{name: v, image: {reference: 'v:latest'}}]"},
		"pods of a CronJob":                 {cronOf, "batch/v1/cronjobs/c", "serviceAccountName: a, containers: [{name: a, image: a}]", "containers: [{name: a, image: 'a:1'}]"},
		"labels of a ReplicationController": {replicasOf, "v1/replicationcontrollers/r", "a: b", "a: c"},
		"families of a Service":             {serviceOf, "v1/services/s", "ipFamilyPolicy: PreferDualStack, ports: [{port: 80}]", "ports: [{port: 80}]"},
		"affinity of a Service":             {serviceOf, "v1/services/s", "sessionAffinity: ClientIP, ports: [{port: 80}]", "ports: [{port: 80}]"},
		"a Service that was balanced":       {serviceOf, "v1/services/s", "type: LoadBalancer, externalTrafficPolicy: Local, loadBalancerClass: x/y, ports: [{port: 80}]", "ports: [{port: 80}]"},
		"a Service that becomes a name":     {serviceOf, "v1/services/s", "type: NodePort, ports: [{port: 80}]", "type: ExternalName, externalName: a.example.com"},
		"behavior of an autoscaler":         {scalerOf, "autoscaling/v2/horizontalpodautoscalers/h", ", behavior: {scaleUp: {selectPolicy: Min}, scaleDown: {stabilizationWindowSeconds: 5}}", ", behavior: {scaleDown: {stabilizationWindowSeconds: 5}}"},
		"metrics of an autoscaler":          {scalerOf, "autoscaling/v2/horizontalpodautoscalers/h", ", metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}]", ""},
		"emptyDir that gets a source":       {podsOf, webPath, container + ", volumes: [{name: v}]", container + ", volumes: [{name: v, secret: {secretName: s}}]"},
		"a source that leaves":              {podsOf, webPath, container + ", volumes: [{name: v, secret: {secretName: s}}]", container + ", volumes: [{name: v}]"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			release := func(part string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": fmt.Sprintf(c.manifest, part)}))
			}
			if _, err := f.engine.Deploy(f.ctx, release(c.before), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			r := release(c.after)
			f.planned(c.path, func() (*engine.Plan, error) { return f.engine.Plan(f.ctx, r, engine.PlanOptions{}) }, engine.ApplyOptions{})
			if d := observed(f.created(c.path, fmt.Sprintf(c.manifest, c.after)), withoutAllocated(f.object(c.path))); len(d) > 0 {
				t.Errorf("live differs from what would be created: %v", d)
			}
			f.settled(r)
			// And back.
			r = release(c.before)
			if _, err := f.engine.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if d := observed(f.created(c.path, fmt.Sprintf(c.manifest, c.before)), withoutAllocated(f.object(c.path))); len(d) > 0 {
				t.Errorf("after going back, live differs from what would be created: %v", d)
			}
			f.settled(r)
		})
	}
}

// What another manager owns of it stays as that manager has set it.
func TestDerivedFieldsOfOthersStay(t *testing.T) {
	f := newFixture(t)
	release := func(part string) engine.Release {
		return f.release(f.chart(map[string]string{"x.yaml": fmt.Sprintf(policyOf, part)}))
	}
	const path = "networking.k8s.io/v1/networkpolicies/net"
	if _, err := f.engine.Deploy(f.ctx, release(", egress: [{}]"), engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.change(path, "other", types.ApplyPatchType, `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"net"},"spec":{"policyTypes":["Ingress","Egress"]}}`)
	r := release("")
	f.planned(path, func() (*engine.Plan, error) { return f.engine.Plan(f.ctx, r, engine.PlanOptions{}) }, engine.ApplyOptions{})
	if types, _ := at(f.object(path), "spec", "policyTypes").([]any); len(types) != 2 {
		t.Errorf("the types are %v", types)
	}
	f.settled(r)
}

// An item of a list that was renamed by hand goes when that is undone: it would
// stay beside the item of the release.
func TestItemsRenamedByHand(t *testing.T) {
	const spec = "/spec/template/spec/"
	pods := "containers: [{name: web, image: 'web:1', env: [{name: A, value: x}, {name: B, value: z}], ports: [{containerPort: 80}], volumeMounts: [{name: v, mountPath: /v}]}], volumes: [{name: v, emptyDir: {}}]"
	for name, c := range map[string]struct {
		manifest, part, path string
		edit                 string
		other                string // what is written beside the release's item
		next                 [2]string
	}{
		"a container":            {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `containers/0/name","value":"app"}]`, `spec.template.spec.containers[name="app"]`, [2]string{"web:1", "web:2"}},
		"a container, and more":  {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `containers/0/name","value":"app"},{"op":"replace","path":"` + spec + `containers/0/image","value":"other"}]`, `spec.template.spec.containers[name="app"]`, [2]string{"web:1", "web:2"}},
		"a container, and moved": {podsOf, strings.Replace(pods, "}], volumes", "}, {name: side, image: 'side:1'}], volumes", 1), webPath, `[{"op":"replace","path":"` + spec + `containers/0/name","value":"app"},{"op":"move","from":"` + spec + `containers/0","path":"` + spec + `containers/1"},{"op":"add","path":"` + spec + `containers/-","value":{"name":"injected","image":"injected:1"}}]`, `spec.template.spec.containers[name="app"]`, [2]string{"web:1", "web:2"}},
		"a variable":             {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `containers/0/env/0/name","value":"C"}]`, `spec.template.spec.containers[name="web"].env[name="C"]`, [2]string{"value: x", "value: changed"}},
		"a container's port":     {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `containers/0/ports/0/containerPort","value":81}]`, `spec.template.spec.containers[name="web"].ports[containerPort=81,protocol="TCP"]`, [2]string{"web:1", "web:2"}},
		"a volume and its mount": {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `volumes/0/name","value":"w"},{"op":"replace","path":"` + spec + `containers/0/volumeMounts/0/name","value":"w"}]`, `spec.template.spec.volumes[name="w"]`, [2]string{"web:1", "web:2"}},
		"a mount":                {podsOf, pods, webPath, `[{"op":"replace","path":"` + spec + `containers/0/volumeMounts/0/mountPath","value":"/w"}]`, `spec.template.spec.containers[name="web"].volumeMounts[mountPath="/w"]`, [2]string{"web:1", "web:2"}},
		"a Service's port":       {serviceOf, "ports: [{name: a, port: 80}, {name: b, port: 81}]", "v1/services/s", `[{"op":"replace","path":"/spec/ports/0","value":{"name":"c","port":82,"targetPort":80}}]`, `spec.ports[port=82,protocol="TCP"]`, [2]string{"port: 80", "port: 80, appProtocol: http"}},
		"a protocol":             {serviceOf, "ports: [{name: a, port: 80}, {name: b, port: 81}]", "v1/services/s", `[{"op":"replace","path":"/spec/ports/0/protocol","value":"UDP"},{"op":"replace","path":"/spec/ports/0/name","value":"c"}]`, `spec.ports[port=80,protocol="UDP"]`, [2]string{"port: 80", "port: 80, appProtocol: http"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			release := func(part string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": fmt.Sprintf(c.manifest, part)}))
			}
			r := release(c.part)
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			before := f.object(c.path)
			settled := func(r engine.Release, part string) {
				t.Helper()
				o := f.object(c.path)
				if strings.Contains(name, "moved") { // what was injected stays
					removeContainer(o, "injected")
				}
				if d := observed(f.created(c.path, fmt.Sprintf(c.manifest, part)), withoutAllocated(o)); len(d) > 0 {
					t.Errorf("live differs from what would be created: %v", d)
				}
				f.settled(r)
			}
			// A correction removes it, and its plan says so.
			f.change(c.path, "kubectl-edit", types.JSONPatchType, c.edit)
			p := f.planned(c.path, func() (*engine.Plan, error) { return f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{}) }, engine.ApplyOptions{})
			var text strings.Builder
			if err := p.Report.WriteText(&text, diff.TextOptions{Width: 300}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text.String(), c.other+" is removed: it is ") || !strings.Contains(text.String(), "renamed by kubectl-edit") {
				t.Errorf("the plan says\n%s", &text)
			}
			settled(r, c.part)
			if strings.Contains(name, "moved") {
				return
			}
			if d := observed(before, f.object(c.path)); len(d) > 0 {
				t.Errorf("the correction leaves %v", d)
			}
			// A deploy needs Force for it.
			f.change(c.path, "kubectl-edit", types.JSONPatchType, c.edit)
			part := strings.Replace(c.part, c.next[0], c.next[1], 1)
			next := release(part)
			if err := f.plan(next).Err(); err == nil || !strings.Contains(err.Error(), "kubectl-edit owns fields that would change: ") || !strings.Contains(err.Error(), c.other) {
				t.Errorf("without Force: %v", err)
			}
			next.Force = true
			f.planned(c.path, func() (*engine.Plan, error) { return f.engine.Plan(f.ctx, next, engine.PlanOptions{}) }, engine.ApplyOptions{Force: true})
			settled(next, part)
		})
	}
}

func removeContainer(o map[string]any, name string) {
	pod := at(o, "spec", "template", "spec").(map[string]any)
	var rest []any
	for _, c := range pod["containers"].([]any) {
		if at(c, "name") != name {
			rest = append(rest, c)
		}
	}
	pod["containers"] = rest
}
