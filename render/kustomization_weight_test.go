package render

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
)

// deployment has about 90 nodes, and an ingress beside it a host.
const deployment = `---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app%[1]d, labels: {app: app%[1]d, tier: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: app%[1]d}}
  template:
    metadata: {labels: {app: app%[1]d}}
    spec:
      serviceAccountName: app%[1]d
      containers:
      - name: app
        image: example.com/app:1.0
        ports: [{name: http, containerPort: 8080}]
        env: [{name: HOST, value: host.example.com}, {name: NAME, valueFrom: {configMapKeyRef: {name: settings, key: name}}}]
        resources: {limits: {memory: 1Gi}, requests: {cpu: 100m, memory: 128Mi}}
        readinessProbe: {httpGet: {path: /, port: http}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app%[1]d}
spec: {rules: [{host: app.example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app%[1]d, port: {name: http}}}}]}}]}
`

// What is weighed leaves room for large kustomizations that harm no one.
func TestOrdinaryKustomizationsAreAllowed(t *testing.T) {
	each := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	text := "resources: [x.yaml]\nnamePrefix: shop-\nnamespace: prod\nlabels: [{pairs: {team: a, env: prod}, includeSelectors: true}]\ncommonAnnotations: {note: x}\n" +
		"images:\n" + each(10, "- {name: example.com/app%d, newTag: v2}\n") +
		"replicas:\n" + each(20, "- {name: app%d, count: 3}\n") +
		"configMapGenerator:\n- {name: settings, literals: [name=shop, host=shop.example.com]}\n" + each(10, "- {name: c%d, literals: [a=b]}\n") +
		"patches:\n" + each(4, "- target: {kind: Deployment, name: app%d}\n  patch: |-\n    - {op: copy, from: /spec/template/spec/containers/0/env, path: /spec/template/spec/containers/0/more}\n    - {op: add, path: /metadata/labels/x, value: z}\n") +
		each(8, "- patch: |-\n    {apiVersion: apps/v1, kind: Deployment, metadata: {name: app%d}, spec: {template: {spec: {containers: [{name: app, env: [{name: X, value: z}]}]}}}}\n") +
		"replacements:\n" + each(8, "- source: {kind: ConfigMap, name: settings, fieldPath: data.host}\n  targets: [{select: {kind: Ingress}, fieldPaths: [spec.rules.*.host]}, {select: {kind: Deployment, name: app%d}, fieldPaths: ['spec.template.spec.containers.[name=app].env.[name=HOST].value'], options: {delimiter: ., index: 0}}]\n") +
		each(2, "- source: {kind: Deployment, name: app%d, fieldPath: metadata.labels}\n  targets: [{select: {kind: Deployment}, fieldPaths: [spec.template.metadata.annotations], options: {create: true}}]\n")
	for _, n := range []int{20, 60} {
		k, err := LoadKustomization(fstest.MapFS{
			"kustomization.yaml": {Data: []byte(text)}, "x.yaml": {Data: []byte(each(n, deployment))},
		}, ".")
		if err != nil {
			t.Fatalf("%d apps: %v", n, err)
		}
		m, err := k.Render(t.Context(), Input{Name: "demo"})
		if err != nil {
			t.Fatalf("%d apps: %v", n, err)
		}
		if len(m.Objects) != 2*n+11 {
			t.Errorf("%d objects", len(m.Objects))
		}
	}
}
