package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// unchangeable are fields that the API server does not let change, in the
// sentences of its validation, with what is named in each.
var unchangeable = map[string]struct{ manifest, path, before, after, fields string }{
	"a Service's balancer":                      {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, %s, ports: [{port: 80}]}\n", "v1/services/s", "loadBalancerClass: a/b", "loadBalancerClass: a/c", "spec.loadBalancerClass"},
	"a Service that becomes headless":           {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {%s}\n", "v1/services/s", "ports: [{port: 80}]", "clusterIP: None, ports: [{port: 80}]", "spec.clusterIP"},
	"a headless Service that gets an address":   {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {%s}\n", "v1/services/s", "clusterIP: None, ports: [{port: 80}]", "ports: [{port: 80}]", "spec.clusterIP"},
	"a headless Service that is balanced":       {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {%s}\n", "v1/services/s", "clusterIP: None, ports: [{port: 80}]", "type: LoadBalancer, ports: [{port: 80}]", "spec.clusterIP"},
	"a Service's address":                       {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {%s}\n", "v1/services/s", "ports: [{port: 80}]", "ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, clusterIP: 10.96.200.7, ports: [{port: 80}]", "spec.clusterIP"},
	"the selector of a DaemonSet":               {"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: {matchLabels: {a: %[1]s}}, template: {metadata: {labels: {a: %[1]s}}, spec: {nodeSelector: {none: x}, containers: [{name: a, image: 'a:1'}]}}}\n", "apps/v1/daemonsets/d", "b", "c", "spec.selector.matchLabels.a"},
	"the selector of a ReplicaSet":              {"apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: d}\nspec: {replicas: 0, selector: {matchLabels: {a: %[1]s}}, template: {metadata: {labels: {a: %[1]s}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n", "apps/v1/replicasets/d", "b", "c", "spec.selector.matchLabels.a"},
	"the claims of a StatefulSet":               {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {replicas: 0, selector: {matchLabels: {a: b}}, serviceName: d, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: 'a:1'}]}}, volumeClaimTemplates: [%s]}\n", "apps/v1/statefulsets/d", "", "{metadata: {name: d}, spec: {storageClassName: '', accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}", "spec.volumeClaimTemplates"},
	"the order of a StatefulSet":                {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: d}\nspec: {replicas: 0, selector: {matchLabels: {a: b}}, serviceName: d, podManagementPolicy: %s, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: 'a:1'}]}}}\n", "apps/v1/statefulsets/d", "OrderedReady", "Parallel", "spec.podManagementPolicy"},
	"the completions of a Job":                  {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {suspend: true, completions: %s, template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}\n", "batch/v1/jobs/j", "1", "2", "spec.completions"},
	"the mode of a Job":                         {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {suspend: true, completions: 2, completionMode: %s, template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:1'}]}}}\n", "batch/v1/jobs/j", "Indexed", "NonIndexed", "spec.completionMode"},
	"the arguments of a Pod":                    {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {automountServiceAccountToken: false, nodeSelector: {none: x}, terminationGracePeriodSeconds: 0, containers: [{name: a, image: a, args: [%s]}]}\n", "v1/pods/p", "a", "b", `spec.containers[name="a"].args`},
	"a container of a Pod":                      {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {automountServiceAccountToken: false, nodeSelector: {none: x}, terminationGracePeriodSeconds: 0, containers: [{name: a, image: a}%s]}\n", "v1/pods/p", "", ", {name: b, image: b}", `spec.containers[name="b"]`},
	"the host name of a Pod":                    {"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {automountServiceAccountToken: false, nodeSelector: {none: x}, terminationGracePeriodSeconds: 0, %s, containers: [{name: a, image: a}]}\n", "v1/pods/p", "hostname: a", "hostname: b", "spec.hostname"},
	"the class of a claim":                      {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: p}\nspec: {storageClassName: %s, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n", "v1/persistentvolumeclaims/p", "a", "b", "spec.storageClassName"},
	"a claim that shrinks":                      {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: p}\nspec: {storageClassName: a, accessModes: [ReadWriteOnce], resources: {requests: {storage: %s}}}\n", "v1/persistentvolumeclaims/p", "2Gi", "1Gi", "spec.resources.requests.storage"},
	"the path of a volume":                      {"apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: %s}}\n", "v1/persistentvolumes/NAME", "/a", "/b", "spec.hostPath.path"},
	"the kind of a volume":                      {"apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], %s}\n", "v1/persistentvolumes/NAME", "hostPath: {path: /a}", "nfs: {server: a, path: /b}", "spec.hostPath, spec.nfs"},
	"the mode of a volume":                      {"apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /a}, volumeMode: %s}\n", "v1/persistentvolumes/NAME", "Filesystem", "Block", "spec.volumeMode"},
	"the nodes of a volume":                     {"apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], hostPath: {path: /a}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In, values: [%s]}]}]}}}\n", "v1/persistentvolumes/NAME", "a", "b", "spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values"},
	"the type of a Secret":                      {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ntype: %s\n", "v1/secrets/s", "a/b", "a/c", "type"},
	"a ConfigMap that is immutable":             {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nimmutable: %s\n", "v1/configmaps/c", "true", "false", "immutable"},
	"the binding of a StorageClass":             {"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME}\nprovisioner: x/y\nvolumeBindingMode: %s\n", "storage.k8s.io/v1/storageclasses/NAME", "Immediate", "WaitForFirstConsumer", "volumeBindingMode"},
	"the provisioner of a StorageClass":         {"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME}\nprovisioner: x/%s\n", "storage.k8s.io/v1/storageclasses/NAME", "a", "b", "provisioner"},
	"the attachment of a CSIDriver":             {"apiVersion: storage.k8s.io/v1\nkind: CSIDriver\nmetadata: {name: NAME}\nspec: {%s}\n", "storage.k8s.io/v1/csidrivers/NAME", "attachRequired: true", "attachRequired: false", "spec.attachRequired"},
	"the modes of a CSIDriver":                  {"apiVersion: storage.k8s.io/v1\nkind: CSIDriver\nmetadata: {name: NAME}\nspec: {%s}\n", "storage.k8s.io/v1/csidrivers/NAME", "volumeLifecycleModes: [Persistent]", "volumeLifecycleModes: [Ephemeral]", `spec.volumeLifecycleModes[="Ephemeral"], spec.volumeLifecycleModes[="Persistent"]`},
	"the handler of a RuntimeClass":             {"apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: NAME}\nhandler: %s\n", "node.k8s.io/v1/runtimeclasses/NAME", "a", "b", "handler"},
	"the controller of an IngressClass":         {"apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: NAME}\nspec: {controller: a/%s}\n", "networking.k8s.io/v1/ingressclasses/NAME", "b", "c", "spec.controller"},
	"the preemption of a PriorityClass":         {"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: 1\npreemptionPolicy: %s\n", "scheduling.k8s.io/v1/priorityclasses/NAME", "Never", "PreemptLowerPriority", "preemptionPolicy"},
	"the role of a ClusterRoleBinding":          {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: NAME}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %s}\n", "rbac.authorization.k8s.io/v1/clusterrolebindings/NAME", "a", "b", "roleRef.name"},
	"the addresses of an EndpointSlice":         {"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: e}\naddressType: %s\nendpoints: []\n", "discovery.k8s.io/v1/endpointslices/e", "IPv4", "FQDN", "addressType"},
	"the scopes of a ResourceQuota":             {"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '1'}, scopes: [%s]}\n", "v1/resourcequotas/q", "BestEffort", "NotBestEffort", "spec.scopes"},
	"the selector of a ResourceQuota":           {"apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '1'}, %s}\n", "v1/resourcequotas/q", "scopes: [BestEffort]", "scopeSelector: {matchExpressions: [{scopeName: PriorityClass, operator: Exists}]}", "spec.scopes"},
	"the data of a ControllerRevision":          {"apiVersion: apps/v1\nkind: ControllerRevision\nmetadata: {name: r}\nrevision: 1\ndata: {a: %s}\n", "apps/v1/controllerrevisions/r", "b", "c", "data.a"},
	"the parameters of a VolumeAttributesClass": {"apiVersion: storage.k8s.io/v1\nkind: VolumeAttributesClass\nmetadata: {name: NAME}\ndriverName: x.y\nparameters: {a: %s}\n", "storage.k8s.io/v1/volumeattributesclasses/NAME", "b", "c", "parameters.a"},
	"a ResourceClaimTemplate":                   {"apiVersion: resource.k8s.io/v1\nkind: ResourceClaimTemplate\nmetadata: {name: r}\nspec: {spec: {devices: {requests: [{name: a, exactly: {deviceClassName: %s}}]}}}\n", "resource.k8s.io/v1/resourceclaimtemplates/r", "b", "c", "spec.spec.devices.requests[0].exactly.deviceClassName"},
	"a ResourceClaim":                           {"apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {name: r}\nspec: {devices: {requests: [{name: a, exactly: {deviceClassName: %s}}]}}\n", "resource.k8s.io/v1/resourceclaims/r", "b", "c", "spec.devices.requests[0].exactly.deviceClassName"},
}

// A field that cannot change is a problem that names it and the remedy, and with
// that the object is replaced, and is as the manifest asks for.
func TestWhatCannotChangeIsReplaced(t *testing.T) {
	for name, c := range unchangeable {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			named := func(s string) string { return strings.ReplaceAll(s, "NAME", f.namespace) }
			path := named(c.path)
			text := func(part, policy string) string {
				return strings.Replace(named(fmt.Sprintf(c.manifest, part)), "metadata: {", "metadata: {annotations: {fairlead.dev/replace: "+policy+"}, ", 1)
			}
			release := func(part, policy string) engine.Release {
				return f.release(f.chart(map[string]string{"x.yaml": text(part, policy)}))
			}
			if strings.Contains(c.path, "NAME") {
				defer func() {
					if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
						t.Error(err)
					}
				}()
			}
			if _, err := f.engine.Deploy(f.ctx, release(c.before, "never"), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			p := f.plan(release(c.after, "never"))
			if len(p.Problems) == 0 {
				t.Errorf("no problem; changes %v", p.Report.Changes)
			}
			for _, problem := range p.Problems {
				if problem.Kind != engine.ProblemImmutable || !strings.Contains(strings.Join(problem.Fields, ", "), c.fields) || !strings.Contains(problem.Hint, "fairlead.dev/replace") {
					t.Errorf("%s, of %q: %v", problem.Kind, problem.Fields, problem)
				}
				if strings.Contains(problem.Message, "@@") || strings.Contains(problem.Message, `{"`) {
					t.Errorf("it shows values in Go's notation: %s", problem.Message)
				}
			}
			r := release(c.after, "recreate")
			p = f.plan(r)
			if err := p.Err(); err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(p.Report.Changes, func(ch diff.Change) bool { return ch.Action == diff.Replaced }) {
				t.Errorf("nothing is replaced: %v", p.Report.Changes)
			}
			if _, err := f.engine.Apply(f.ctx, p, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			if d := observed(f.created(path, text(c.after, "recreate")), withoutAllocated(f.object(path))); len(d) > 0 {
				t.Errorf("live differs from what would be created: %v", d)
			}
			f.settled(r)
		})
	}
}
