package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/engine"
)

const (
	gearOf       = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: gears.NAME.example.com}\nspec: {group: NAME.example.com, scope: Namespaced, names: {plural: gears, singular: gear, kind: Gear}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}, scale: {specReplicasPath: .spec.size, statusReplicasPath: .status.size}}, schema: {openAPIV3Schema: {type: object, properties: {status: {type: object, x-kubernetes-preserve-unknown-fields: true}, spec: {type: object, properties: {size: {type: integer}, maybe: {type: string, nullable: true}, atomic: {type: object, x-kubernetes-map-type: atomic, additionalProperties: {type: string}}, map: {type: object, additionalProperties: {type: string}}, set: {type: array, x-kubernetes-list-type: set, items: {type: string}}, parts: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [id], items: {type: object, required: [id], properties: {id: {type: string}, weight: {type: integer, default: 5}, tags: {type: array, items: {type: string}}, box: {type: object, properties: {a: {type: integer}}}}}}, nested: {type: array, items: {type: object, properties: {a: {type: integer}, maybe: {type: string, nullable: true}}}}, free: {type: object, x-kubernetes-preserve-unknown-fields: true}, either: {x-kubernetes-int-or-string: true}, deep: {type: object, default: {}, properties: {a: {type: object, default: {}, properties: {c: {type: integer, default: 9}}}}}}}}}}}]}\n---\napiVersion: NAME.example.com/v1\nkind: Gear\nmetadata: {name: g}\nspec: {%s}\n"
	ingressOf    = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\nspec: {%s}\n"
	pdbOf        = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: p}\nspec: {%s}\n"
	hpaOf        = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: h}\nspec: {maxReplicas: 9, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, %s}\n"
	roleOf       = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n%s\n"
	accountOf    = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\n%s\n"
	secretTextOf = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n%s\n"
	cronSpecOf   = "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec: {schedule: '0 0 1 1 *', %s, jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}}}\n"
	webhookOf    = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\nmetadata: {name: NAME}\nwebhooks:\n- {name: a.example.com, sideEffects: None, admissionReviewVersions: [v1], rules: [{apiGroups: [nothing.example.com], apiVersions: [v1], resources: [things], operations: [CREATE]}], %s}\n"
	levelOf      = "apiVersion: flowcontrol.apiserver.k8s.io/v1\nkind: PriorityLevelConfiguration\nmetadata: {name: NAME}\nspec: {type: Limited, %s}\n"
)

// kindSequence is a deploy, a change by hand or the loss of managedFields, and a
// deploy of something else, of one object of any kind. NAME is a name of its own.
type kindSequence struct {
	manifest, path, before, after string
	edit                          string // a JSON patch by hand; empty: none
	lost                          bool   // managedFields are lost
}

var kindSequences = map[string]kindSequence{
	// Of custom resources whose definition came a moment before.
	"an atomic map":                                 {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "atomic: {a: b, c: d}", after: "atomic: {a: b}"},
	"an atomic map is emptied":                      {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "atomic: {a: b, c: d}", after: "atomic: {}"},
	"a map is emptied":                              {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "map: {a: b}, size: 1", after: "map: {}, size: 1"},
	"a map leaves":                                  {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "map: {a: b}", after: "size: 1"},
	"a set":                                         {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "set: [a, b]", after: "set: [b, c]"},
	"a set is emptied":                              {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "set: [a, b]", after: "set: []"},
	"a list by key is emptied":                      {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a}, {id: b, weight: 2}]", after: "parts: []"},
	"a map and a list in an item are emptied":       {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a, box: {a: 1}, tags: [x]}]", after: "parts: [{id: a, box: {}, tags: []}]"},
	"a field with a default leaves":                 {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a, weight: 2}]", after: "parts: [{id: a}]"},
	"null in an item":                               {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "nested: [{a: 1, maybe: x}]", after: "nested: [{a: 1, maybe: null}]"},
	"a value becomes null":                          {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "maybe: x", after: "maybe: null"},
	"null becomes a value":                          {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "maybe: null", after: "maybe: x"},
	"null leaves":                                   {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "maybe: null, size: 1", after: "size: 1"},
	"a free field":                                  {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "free: {a: {b: [1, {c: d}]}}", after: "free: {a: {b: []}, x: {}}"},
	"null in a free field":                          {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "free: {a: x}", after: "free: {a: null, b: {}}"},
	"a number becomes a string":                     {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "either: 5", after: "either: 50%"},
	"a map of defaults is emptied":                  {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "deep: {a: {c: 1}}", after: "deep: {a: {}}"},
	"a map of defaults leaves":                      {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "deep: {a: {c: 1}}", after: "size: 1"},
	"a map of defaults becomes null":                {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "deep: {a: {c: 1}}", after: "deep: {a: null}"},
	"an item of a set changed by hand":              {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "set: [a, b]", after: "set: [a, b, c]", edit: `[{"op":"replace","path":"/spec/set/0","value":"z"}]`},
	"a key changed by hand":                         {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a}, {id: b, weight: 2}]", after: "parts: [{id: a, weight: 3}, {id: b, weight: 2}]", edit: `[{"op":"replace","path":"/spec/parts/0/id","value":"z"}]`},
	"an item moved by hand":                         {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a}, {id: b, weight: 2}]", after: "parts: [{id: a, weight: 3}, {id: b, weight: 2}]", edit: `[{"op":"move","from":"/spec/parts/0","path":"/spec/parts/1"}]`},
	"null by hand":                                  {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "maybe: x", after: "maybe: w", edit: `[{"op":"replace","path":"/spec/maybe","value":null}]`},
	"a map emptied by hand":                         {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a, box: {a: 1}}]", after: "parts: [{id: a, box: {a: 2}}]", edit: `[{"op":"replace","path":"/spec/parts/0/box","value":{}}]`},
	"an atomic map edited by hand":                  {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "atomic: {a: b}", after: "atomic: {a: c}", edit: `[{"op":"add","path":"/spec/atomic/z","value":"z"}]`},
	"a free field edited by hand":                   {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "free: {a: {b: 1}}", after: "free: {a: {b: 2}}", edit: `[{"op":"replace","path":"/spec/free/a","value":[1]}]`},
	"an item added by hand to a whole list":         {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "nested: [{a: 1}, {a: 2}]", after: "nested: [{a: 1}, {a: 3}]", edit: `[{"op":"add","path":"/spec/nested/0","value":{"a":7}}]`},
	"fields removed by hand":                        {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "deep: {a: {c: 1}}, map: {a: b}", after: "deep: {a: {c: 2}}, map: {a: b}", edit: `[{"op":"remove","path":"/spec/deep"},{"op":"remove","path":"/spec/map"}]`},
	"managedFields lost, items leave":               {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a}, {id: b, weight: 2}], map: {a: b}", after: "parts: [{id: b, weight: 2}]", lost: true},
	"managedFields lost, null":                      {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "maybe: x, set: [a, b]", after: "maybe: null, set: [b]", lost: true},
	"managedFields lost, a map is emptied":          {manifest: gearOf, path: "NAME.example.com/v1/gears/g", before: "parts: [{id: a, box: {a: 1}}]", after: "parts: [{id: a, box: {}}]", lost: true},
	"managedFields lost of a Service":               {manifest: serviceOf, path: "v1/services/s", before: "type: NodePort, ports: [{name: a, port: 80}, {name: b, port: 81}]", after: "ports: [{name: a, port: 80}]", lost: true},
	"managedFields lost of an Ingress":              {manifest: ingressOf, path: "networking.k8s.io/v1/ingresses/i", before: "defaultBackend: {service: {name: a, port: {number: 1}}}, tls: [{hosts: [a]}]", after: "defaultBackend: {service: {name: a, port: {name: b}}}", lost: true},
	"managedFields lost of a Deployment":            {manifest: podsOf, path: "apps/v1/deployments/web", before: "containers: [{name: web, image: 'web:1', livenessProbe: {httpGet: {port: 80}}, env: [{name: A, value: b}]}, {name: side, image: s}], volumes: [{name: v, emptyDir: {}}]", after: "containers: [{name: web, image: 'web:1', livenessProbe: {tcpSocket: {port: 80}}}]", lost: true},
	"managedFields lost of a NetworkPolicy":         {manifest: policyOf, path: "networking.k8s.io/v1/networkpolicies/net", before: ", ingress: [{}], egress: [{}]", after: ", ingress: [{}]", lost: true},
	"managedFields lost of a PodDisruptionBudget":   {manifest: pdbOf, path: "policy/v1/poddisruptionbudgets/p", before: "minAvailable: 1, selector: {matchLabels: {a: b}}", after: "maxUnavailable: 1, selector: {matchLabels: {a: b}}", lost: true},
	"managedFields lost of an autoscaler":           {manifest: hpaOf, path: "autoscaling/v2/horizontalpodautoscalers/h", before: "minReplicas: 2, metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 60}}}]", after: "minReplicas: 3", lost: true},
	"managedFields lost of a CronJob":               {manifest: cronSpecOf, path: "batch/v1/cronjobs/c", before: "suspend: true, timeZone: Etc/UTC", after: "concurrencyPolicy: Forbid", lost: true},
	"managedFields lost of a DaemonSet":             {manifest: daemonsOf, path: "apps/v1/daemonsets/d", before: ", updateStrategy: {rollingUpdate: {maxUnavailable: 3}}", after: ", updateStrategy: {type: OnDelete}", lost: true},
	"managedFields lost of a ServiceAccount":        {manifest: accountOf, path: "v1/serviceaccounts/a", before: "imagePullSecrets: [{name: a}, {name: b}]\nautomountServiceAccountToken: false", after: "imagePullSecrets: [{name: b}]", lost: true},
	"managedFields lost of a Role":                  {manifest: roleOf, path: "rbac.authorization.k8s.io/v1/roles/r", before: "rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]", after: "rules: []", lost: true},
	"managedFields lost of a Secret":                {manifest: secretTextOf, path: "v1/secrets/s", before: "stringData: {a: b, c: d}", after: "stringData: {c: e}", lost: true},
	"managedFields lost of a webhook configuration": {manifest: webhookOf, path: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/NAME", before: "clientConfig: {service: {name: a, namespace: b}}, matchConditions: [{name: a, expression: 'true'}]", after: "clientConfig: {url: 'https://a.example.com/x'}", lost: true},
	// Of further kinds.
	"a queue becomes a refusal":         {manifest: levelOf, path: "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/NAME", before: "limited: {limitResponse: {type: Queue, queuing: {queueLengthLimit: 20}}}", after: "limited: {limitResponse: {type: Reject}}"},
	"a queue made by hand":              {manifest: levelOf, path: "flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations/NAME", before: "limited: {limitResponse: {type: Reject}}", after: "limited: {nominalConcurrencyShares: 2, limitResponse: {type: Reject}}", edit: `[{"op":"replace","path":"/spec/limited/limitResponse","value":{"type":"Queue","queuing":{"queueLengthLimit":3}}}]`},
	"a webhook's Service becomes a URL": {manifest: webhookOf, path: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/NAME", before: "clientConfig: {service: {name: a, namespace: b}}", after: "clientConfig: {url: 'https://a.example.com/x'}"},
	"a webhook renamed by hand":         {manifest: webhookOf, path: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/NAME", before: "clientConfig: {url: 'https://a.example.com/x'}", after: "clientConfig: {url: 'https://a.example.com/y'}", edit: `[{"op":"replace","path":"/webhooks/0/name","value":"b.example.com"}]`},
	"a webhook's URL made a Service":    {manifest: webhookOf, path: "admissionregistration.k8s.io/v1/validatingwebhookconfigurations/NAME", before: "clientConfig: {url: 'https://a.example.com/x'}", after: "clientConfig: {url: 'https://a.example.com/y'}", edit: `[{"op":"replace","path":"/webhooks/0/clientConfig","value":{"service":{"name":"a","namespace":"b"}}}]`},
	"a probe's handler":                 {manifest: podsOf, path: webPath, before: "containers: [{name: web, image: 'web:1', livenessProbe: {httpGet: {port: 80}}}]", after: "containers: [{name: web, image: 'web:1', livenessProbe: {grpc: {port: 80}}}]"},
	"a volume of another driver":        {manifest: podsOf, path: webPath, before: "containers: [{name: web, image: 'web:1'}], volumes: [{name: v, iscsi: {targetPortal: 1.1.1.1, iqn: 'iqn.2001-04.com.example:a', lun: 1}}]", after: "containers: [{name: web, image: 'web:1'}], volumes: [{name: v, hostPath: {path: /x}}]"},
	"the backend of an Ingress":         {manifest: ingressOf, path: "networking.k8s.io/v1/ingresses/i", before: "defaultBackend: {service: {name: a, port: {number: 1}}}", after: "defaultBackend: {resource: {apiGroup: a, kind: B, name: c}}", edit: `[{"op":"replace","path":"/spec/defaultBackend","value":{"service":{"name":"a","port":{"name":"x"}}}}]`},
	"a peer swapped by hand":            {manifest: policyOf, path: "networking.k8s.io/v1/networkpolicies/net", before: ", ingress: [{from: [{podSelector: {}}]}]", after: ", ingress: [{from: [{podSelector: {matchLabels: {a: b}}}]}]", edit: `[{"op":"replace","path":"/spec/ingress/0/from/0","value":{"ipBlock":{"cidr":"10.0.0.0/8"}}}]`},
	"a metric's target swapped by hand": {manifest: scalerOf, path: "autoscaling/v2/horizontalpodautoscalers/h", before: ", metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]", after: ", minReplicas: 2, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 60}}}]", edit: `[{"op":"replace","path":"/spec/metrics/0/resource/target","value":{"type":"AverageValue","averageValue":"1"}}]`},
	"a reference renamed by hand":       {manifest: accountOf, path: "v1/serviceaccounts/a", before: "secrets: [{name: a}]", after: "secrets: [{name: a}, {name: b}]", edit: `[{"op":"replace","path":"/secrets/0/name","value":"x"}]`},
}

// Whatever the kind, after each deploy, correction and rollback the live object is
// as if it were created from the manifest, and there is nothing left to do: right
// after the definition of a custom resource was created, too, when the API server
// does not publish its schema yet.
func TestSequencesOfKinds(t *testing.T) {
	for name, c := range kindSequences {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			named := func(s string) string { return strings.ReplaceAll(s, "NAME", f.namespace) }
			path := named(c.path)
			text := func(part string) string { return named(fmt.Sprintf(c.manifest, part)) }
			release := func(part string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": text(part)}))
			}
			if strings.Contains(c.manifest, "NAME") {
				defer func() {
					if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
						t.Error(err)
					}
				}()
			}
			edit := func() {
				if c.edit != "" {
					f.change(path, "kubectl-edit", types.JSONPatchType, c.edit)
				}
				if c.lost {
					f.change(path, "restore", types.JSONPatchType, `[{"op":"replace","path":"/metadata/managedFields","value":[{}]}]`)
				}
			}
			step := func(part string, plan func() (*engine.Plan, error), o engine.ApplyOptions) {
				t.Helper()
				p, err := plan()
				if err != nil || p.Err() != nil {
					t.Fatal(err, p.Err())
				}
				was := f.object(path)
				o.NoWait = true
				if _, err := f.engine.Apply(f.ctx, p, o); err != nil {
					t.Fatal(err)
				}
				is := f.object(path)
				if d := observed(was, is); len(d) > 0 && !p.Changed() {
					t.Errorf("nothing was planned, and what changed is %v", d)
				}
				if d := observed(f.created(path, text(part)), withoutAllocated(is)); len(d) > 0 {
					t.Errorf("live differs from what would be created: %v", d)
				}
				f.settled(release(part))
			}
			if _, err := f.engine.Deploy(f.ctx, release(c.before), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if c.edit != "" {
				edit()
				step(c.before, func() (*engine.Plan, error) { return f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{}) }, engine.ApplyOptions{})
			}
			edit()
			r := release(c.after)
			r.Force = c.edit != ""
			step(c.after, func() (*engine.Plan, error) { return f.engine.Plan(f.ctx, r, engine.PlanOptions{}) }, engine.ApplyOptions{Force: r.Force})
			step(c.before, func() (*engine.Plan, error) { return f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{}) }, engine.ApplyOptions{})
		})
	}
}
