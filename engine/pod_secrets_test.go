package engine

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// The Secrets that pods use are found wherever a pod spec refers to them, in any
// kind; those of the release are not read again.
func TestSecretsThatPodsUse(t *testing.T) {
	text := `
apiVersion: example.com/v1
kind: Runner
metadata: {name: r, namespace: other}
spec:
  tls: {secretName: not-of-pods}
  jobTemplate:
    spec:
      template:
        spec:
          imagePullSecrets: [{name: pull}]
          initContainers: [{name: i, env: [{name: A, valueFrom: {secretKeyRef: {name: init-env, key: k}}}]}]
          containers:
          - name: c
            envFrom: [{secretRef: {name: env-from}}, {configMapRef: {name: no}}]
            env: [{name: A, valueFrom: {secretKeyRef: {name: env, key: k}}}, {name: B, valueFrom: {secretKeyRef: {name: own, key: k}}}]
          ephemeralContainers: [{name: e, envFrom: [{secretRef: {name: ephemeral}}]}]
          volumes:
          - {name: a, secret: {secretName: volume}}
          - {name: b, projected: {sources: [{secret: {name: projected}}, {configMap: {name: no}}]}}
          - {name: c, csi: {nodePublishSecretRef: {name: csi}}}
          - {name: d, cephfs: {secretRef: {name: ceph}}}
          - {name: e, azureFile: {secretName: azure}}
`
	var runner, own unstructured.Unstructured
	if err := yaml.Unmarshal([]byte(text), &runner.Object); err != nil {
		t.Fatal(err)
	}
	own.SetKind("Secret")
	own.SetName("own")
	own.SetNamespace("other")
	var got []string
	for _, o := range secretsOfPods(Key{"shop", "web"}, []*unstructured.Unstructured{&runner, nil, &own}) {
		if o.Namespace != "other" {
			t.Errorf("%s", o)
		}
		got = append(got, o.Name)
	}
	slices.Sort(got)
	want := []string{"azure", "ceph", "csi", "env", "env-from", "ephemeral", "init-env", "projected", "pull", "volume"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
