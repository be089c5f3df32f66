package helm_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// chart has everything that depends on the way of applying: lists merged by key,
// defaulted fields, an optional field and an optional object, a hook, and notes.
var chart = map[string]string{
	"Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.2.3\nappVersion: \"7\"\ndescription: Sells things.\n",
	"values.yaml": `
colour: green
size: ""
extra: false
tag: "1.0"
port: 80
`,
	"templates/NOTES.txt": "It is {{ .Values.colour }}, revision {{ .Release.Revision }}.\n",
	"templates/config.yaml": `
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data:
  colour: {{ .Values.colour | quote }}
  {{- with .Values.size }}
  size: {{ . | quote }}
  {{- end }}
`,
	"templates/extra.yaml": `
{{- if .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-extra}
data: {extra: "yes"}
{{- end }}
`,
	"templates/service.yaml": `
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports:
  - {name: http, port: 80, targetPort: 8080}
  {{- if .Values.extra }}
  - {name: metrics, port: 9090}
  {{- end }}
`,
	"templates/port.yaml": `
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}-port}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{port: {{ .Values.port }}}]
`,
	"templates/deployment.yaml": `
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {app: {{ .Release.Name }}}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: shop:{{ .Values.tag }}
        env:
        - {name: COLOUR, value: {{ .Values.colour | quote }}}
        {{- with .Values.size }}
        - {name: SIZE, value: {{ . | quote }}}
        {{- end }}
`,
	"templates/hook.yaml": `
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "3"
    helm.sh/hook-delete-policy: before-hook-creation
data: {colour: {{ .Values.colour | quote }}}
`,
}

// nothingLeft returns an error if an object of the release still exists, other
// than the hook's, which stays by its delete policy.
func (f *fixture) nothingLeft(ctx context.Context) error {
	var left []string
	configs, err := f.client.CoreV1().ConfigMaps(f.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, c := range configs.Items {
		if c.Name != "kube-root-ca.crt" && c.Name != releaseName+"-hook" {
			left = append(left, "ConfigMap "+c.Name)
		}
	}
	services, err := f.client.CoreV1().Services(f.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, s := range services.Items {
		left = append(left, "Service "+s.Name)
	}
	deployments, err := f.client.AppsV1().Deployments(f.namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, d := range deployments.Items {
		left = append(left, "Deployment "+d.Name)
	}
	if len(left) > 0 {
		return fmt.Errorf("%v still exists", left)
	}
	return nil
}
