package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/render"
)

const (
	// objectsFile has the rendered objects, for peers that do not render.
	objectsFile = "objects.json"
	// anyNamespace is the placeholder for the namespace in objectsFile.
	anyNamespace = "any-namespace-here"
	// changeMark is the annotation of the one object that a change is in.
	changeMark = "bench/changes"
	// releaseName is the name of every release of a workload.
	releaseName = "bench"
)

// workload is a generated chart, and the objects that it renders.
type workload struct {
	name        string
	folder      string
	deployments int
}

// mixedWorkload is sets of ten objects of ten kinds, as a small service has.
func mixedWorkload(root string, sets int) (workload, error) {
	return writeWorkload(root, fmt.Sprintf("%d mixed objects", 10*sets), map[string]string{
		"values.yaml":            fmt.Sprintf("sets: %d\nchange: \"0\"\nimage: registry.example/shop:1.0\nport: 8080\n", sets),
		"templates/_helpers.tpl": helpers,
		"templates/service.yaml": mixed,
	})
}

// configMapWorkload is ConfigMaps of 2 KB each.
func configMapWorkload(root string, count int) (workload, error) {
	return writeWorkload(root, fmt.Sprintf("%d ConfigMaps of 2 KB", count), map[string]string{
		"values.yaml":               fmt.Sprintf("count: %d\nchange: \"0\"\n", count),
		"templates/_helpers.tpl":    helpers,
		"templates/configmaps.yaml": configMaps,
	})
}

// helpers and mixed are written as charts usually are, labels by a named
// template.
const helpers = `{{- define "bench.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}
`

const mixed = `{{- range $i := until (int .Values.sets) }}
{{- $name := printf "shop-%d" $i }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
data:
  password: {{ printf "secret-%d" $i | b64enc }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
  {{- if eq $i 0 }}
  annotations:
    bench/changes: "true"
  {{- end }}
data:
  {{- if eq $i 0 }}
  change: {{ $.Values.change | quote }}
  {{- end }}
  log.level: info
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
rules:
  - apiGroups: [""]
    resources: [configmaps]
    verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ $.Release.Namespace }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  selector:
    app: {{ $name }}
  ports:
    - name: http
      port: 80
      targetPort: {{ $.Values.port }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  selector:
    matchLabels:
      app: {{ $name }}
  template:
    metadata:
      labels:
        app: {{ $name }}
    spec:
      serviceAccountName: {{ $name }}
      containers:
        - name: app
          image: {{ $.Values.image }}
          ports:
            - containerPort: {{ $.Values.port }}
          envFrom:
            - configMapRef:
                name: {{ $name }}
          resources:
            requests: {cpu: 10m, memory: 16Mi}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  minReplicas: 1
  maxReplicas: 3
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ $name }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: {type: Utilization, averageUtilization: 80}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      app: {{ $name }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      app: {{ $name }}
  policyTypes: [Ingress]
  ingress:
    - ports:
        - port: {{ $.Values.port }}
{{- end }}
`

// fleetWorkload is four objects, as a small application has them.
func fleetWorkload(root string) (workload, error) {
	return writeWorkload(root, "4 objects", map[string]string{
		"values.yaml":            "change: \"0\"\n",
		"templates/_helpers.tpl": helpers,
		"templates/app.yaml":     fleetApp,
	})
}

// stackWorkload is the same with a Secret.
func stackWorkload(root string) (workload, error) {
	return writeWorkload(root, "5 objects", map[string]string{
		"values.yaml":            "change: \"0\"\n",
		"templates/_helpers.tpl": helpers,
		"templates/app.yaml":     fleetApp,
		"templates/secret.yaml":  "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}\n  labels: {{- include \"bench.labels\" $ | nindent 4 }}\nstringData:\n  password: {{ .Release.Name }}\n",
	})
}

const fleetApp = `apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
data:
  change: {{ .Values.change | quote }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  selector:
    app: {{ .Release.Name }}
  ports:
    - name: http
      port: 80
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
spec:
  selector:
    matchLabels:
      app: {{ .Release.Name }}
  template:
    metadata:
      labels:
        app: {{ .Release.Name }}
    spec:
      serviceAccountName: {{ .Release.Name }}
      containers:
        - name: app
          image: registry.example/shop:1.0
          resources:
            requests: {cpu: 1m, memory: 1Mi}
`

// The lines of a ConfigMap compress well enough that a release of a thousand fits
// into one Secret of Helm.
const configMaps = `{{- range $i := until (int .Values.count) }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ printf "settings-%d" $i }}
  labels: {{- include "bench.labels" $ | nindent 4 }}
  {{- if eq $i 0 }}
  annotations:
    bench/changes: "true"
  {{- end }}
data:
  {{- if eq $i 0 }}
  change: {{ $.Values.change | quote }}
  {{- end }}
  settings.conf: |
    {{- range $line := until 40 }}
    service.{{ $i }}.setting.{{ $line }} = a value of some length {{ $line }}
    {{- end }}
{{- end }}
`

// writeWorkload writes a chart and the objects that it renders.
func writeWorkload(root, name string, files map[string]string) (workload, error) {
	w := workload{name: name, folder: filepath.Join(root, strings.ReplaceAll(name, " ", "-"))}
	files["Chart.yaml"] = "apiVersion: v2\nname: bench\nversion: 1.0.0\n"
	if err := writeFiles(filepath.Join(w.folder, "chart"), files); err != nil {
		return w, err
	}
	chart, err := render.LoadFS(os.DirFS(filepath.Join(w.folder, "chart")))
	if err != nil {
		return w, err
	}
	manifest, err := chart.Render(context.Background(), render.Input{Name: releaseName, Namespace: anyNamespace})
	if err != nil {
		return w, err
	}
	var objects []*unstructured.Unstructured
	for _, o := range manifest.Objects {
		u := o.Unstructured.DeepCopy()
		u.SetNamespace(anyNamespace)
		if u.GetKind() == "Deployment" {
			w.deployments++
		}
		objects = append(objects, u)
	}
	data, err := json.Marshal(objects)
	if err != nil {
		return w, err
	}
	return w, os.WriteFile(filepath.Join(w.folder, objectsFile), data, 0o644)
}

func writeFiles(root string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
