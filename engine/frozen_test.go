package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
)

// The fields of Kubernetes' own kinds that cannot change: whatever sentence the
// API server of a version refuses a change with, it is recognized as that, of
// every kind that the engine knows to have such fields.
func TestFieldsThatCannotChangeInEveryVersion(t *testing.T) {
	pods := "template: {metadata: {labels: {a: b, v: 'X'}}, spec: {containers: [{name: a, image: a}]}}"
	for name, c := range map[string]struct{ text, field string }{
		"DaemonSet":          {"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: NAME}\nspec: {selector: {matchLabels: {v: 'X'}}, " + pods + "}\n", "spec.selector.matchLabels.v"},
		"ReplicaSet":         {"apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: NAME}\nspec: {replicas: 0, selector: {matchLabels: {v: 'X'}}, " + pods + "}\n", "spec.selector.matchLabels.v"},
		"StatefulSet":        {"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: NAME}\nspec: {replicas: 0, serviceName: a, podManagementPolicy: X, selector: {matchLabels: {a: b}}, " + strings.ReplaceAll(pods, "'X'", "a") + "}\n", "spec.podManagementPolicy"},
		"Job completions":    {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: NAME}\nspec: {suspend: true, completions: X, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n", "spec.completions"},
		"Job mode":           {"apiVersion: batch/v1\nkind: Job\nmetadata: {name: NAME}\nspec: {suspend: true, completions: 2, completionMode: X, template: {spec: {restartPolicy: Never, containers: [{name: a, image: a}]}}}\n", "spec.completionMode"},
		"claim mode":         {"apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: NAME}\nspec: {storageClassName: '', volumeMode: X, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n", "spec.volumeMode"},
		"volume mode":        {"apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: NAME}\nspec: {storageClassName: manual, volumeMode: X, accessModes: [ReadWriteOnce], capacity: {storage: 1Gi}, csi: {driver: a, volumeHandle: a}}\n", "spec.volumeMode"},
		"Pod":                {"apiVersion: v1\nkind: Pod\nmetadata: {name: NAME}\nspec: {hostname: X, containers: [{name: a, image: a}]}\n", "spec.hostname"},
		"Secret type":        {"apiVersion: v1\nkind: Secret\nmetadata: {name: NAME}\ntype: example.com/X\n", "type"},
		"StorageClass mode":  {"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME}\nprovisioner: a\nvolumeBindingMode: X\n", "volumeBindingMode"},
		"StorageClass":       {"apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME}\nprovisioner: X\n", "provisioner"},
		"ClusterRoleBinding": {"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: NAME}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: X}\n", "roleRef.name"},
		"PriorityClass":      {"apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: NAME}\nvalue: X\n", "value"},
		"RuntimeClass":       {"apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: NAME}\nhandler: X\n", "handler"},
		"IngressClass":       {"apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: NAME}\nspec: {controller: example.com/X}\n", "spec.controller"},
		"immutable":          {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\nimmutable: X\n", "immutable"},
		"load balancer":      {"apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\nspec: {type: LoadBalancer, loadBalancerClass: example.com/X, ports: [{port: 80}]}\n", "spec.loadBalancerClass"},
	} {
		values := map[string][2]string{
			"StatefulSet": {"Parallel", "OrderedReady"}, "Job completions": {"2", "3"}, "Job mode": {"Indexed", "NonIndexed"}, "claim mode": {"Filesystem", "Block"},
			"volume mode": {"Filesystem", "Block"}, "StorageClass mode": {"Immediate", "WaitForFirstConsumer"}, "ClusterRoleBinding": {"view", "edit"},
			"PriorityClass": {"1", "2"}, "immutable": {"true", "false"},
		}[name]
		if values[0] == "" {
			values = [2]string{"one", "two"}
		}
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			release := func(value string) engine.Release {
				text := strings.ReplaceAll(strings.ReplaceAll(c.text, "NAME", f.frozen()), "X", value)
				return f.release(f.chart(map[string]string{"x.yaml": text}))
			}
			if _, err := f.engine.Deploy(f.ctx, release(values[0]), engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			defer func() { // some of it is cluster-scoped
				if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{NoWait: true}); err != nil {
					t.Error(err)
				}
			}()
			_, err := f.engine.Deploy(f.ctx, release(values[1]), engine.ApplyOptions{NoWait: true})
			var problems *engine.ProblemsError
			if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Kind != engine.ProblemImmutable {
				t.Fatalf("deploying: %v, want a ProblemImmutable", err)
			}
			if fields := problems.Problems[0].Fields; len(fields) != 1 || fields[0] != c.field {
				t.Errorf("the problem is about %q, want %s: %v", fields, c.field, err)
			}
		})
	}
}
