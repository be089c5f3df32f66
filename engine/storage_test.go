package engine_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

const anyClaim = `
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {{ merge (dict "accessModes" (list "ReadWriteOnce") "resources" (dict "requests" (dict "storage" "1Gi"))) (.Values.spec | default dict) | toJson }}
`

const anyClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: c-{{ .Release.Namespace | trunc -6 }}
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: fairlead.dev/volume
`

const anyVolume = `
apiVersion: v1
kind: PersistentVolume
metadata: {name: v-{{ .Release.Namespace | trunc -6 }}}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /data}
`

// database is a StatefulSet with claims.
const database = `
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: db
  annotations: {{ .Values.annotations | default dict | toJson }}
spec:
  serviceName: {{ .Values.service | default "db" }}
  {{- with .Values.replicas }}
  replicas: {{ . }}
  {{- end }}
  {{- with .Values.spec }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: db, image: "db:{{ .Values.tag | default "1.0" }}", volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec:
      {{- with .Values.class }}
      storageClassName: {{ . }}
      {{- end }}
      accessModes: [ReadWriteOnce]
      resources: {requests: {storage: {{ .Values.size | default "1Gi" }}}}
`

// The shared cluster has no default StorageClass.
func TestClaimWithoutClassIsInThePlan(t *testing.T) {
	f := newFixture(t)
	for name, c := range map[string]struct {
		templates map[string]string
		set       string
		problem   string
		warning   string
	}{
		"a claim":                      {templates: map[string]string{"a.yaml": anyClaim}, problem: "it names no StorageClass"},
		"a template":                   {templates: map[string]string{"a.yaml": database}, problem: "its claim template data names no StorageClass"},
		"a default class comes along":  {templates: map[string]string{"a.yaml": anyClaim, "c.yaml": anyClass}},
		"a volume comes along":         {templates: map[string]string{"a.yaml": anyClaim, "c.yaml": anyVolume}},
		"a volume made by hand":        {templates: map[string]string{"a.yaml": anyClaim}, set: `spec={"storageClassName":""}`},
		"that very volume":             {templates: map[string]string{"a.yaml": anyClaim}, set: `spec={"volumeName":"v"}`},
		"a class that is not there":    {templates: map[string]string{"a.yaml": anyClaim}, set: `spec={"storageClassName":"fast"}`, warning: "StorageClass fast, which does not exist"},
		"a template with such a class": {templates: map[string]string{"a.yaml": database}, set: `class="fast"`, warning: "its claim template data names StorageClass fast"},
	} {
		r := f.release(f.chart(c.templates))
		if c.set != "" {
			values, err := render.MergeValues(render.FromSetJSON(c.set))
			if err != nil {
				t.Fatal(err)
			}
			r.Values = values
		}
		plan, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var problems *engine.ProblemsError
		switch err := plan.Err(); {
		case c.problem == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.problem != "":
			if !errors.As(err, &problems) || problems.Problems[0].Kind != engine.ProblemStorageClass || !strings.Contains(err.Error(), c.problem) {
				t.Errorf("%s: %v, want a problem that says %q", name, err, c.problem)
			}
		}
		var warnings []string
		for _, change := range plan.Report.Changes {
			warnings = append(warnings, change.Warnings...)
		}
		if all := strings.Join(warnings, "\n"); (c.warning == "") != (all == "") || !strings.Contains(all, c.warning) {
			t.Errorf("%s: warnings %q, want %q", name, all, c.warning)
		}
	}
}
