package engine_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// Bad manifests are refused as a whole, with the object and what to do.
func TestBadManifests(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"no name":               {"apiVersion: v1\nkind: ConfigMap\nmetadata: {labels: {a: b}}\n", []string{"templates/bad.yaml", "name"}},
		"no metadata":           {"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n", []string{"templates/bad.yaml", "name"}},
		"generated name":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: a-}\n", []string{"templates/bad.yaml", "name"}},
		"no kind":               {"apiVersion: v1\nmetadata: {name: a}\n", []string{"templates/bad.yaml", "kind"}},
		"no object":             {"just words\n", []string{"templates/bad.yaml"}},
		"list":                  {"- a\n- b\n", []string{"templates/bad.yaml"}},
		"number as label":       {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: {app: x, version: 1}}\n", []string{"templates/bad.yaml", "version", "quote"}},
		"number as annotation":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, annotations: {prometheus.io/port: 9090}}\n", []string{"templates/bad.yaml", "prometheus.io/port", "quote"}},
		"bad name":              {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: Bad_Name}\n", []string{"Bad_Name"}},
		"bad key":               {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {a b: c}\n", []string{"Secret"}},
		"number as data":        {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {port: 80}\n", []string{"ConfigMap", "port"}},
		"no base64":             {"apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata: {a: \"not base64!\"}\n", []string{"Secret"}},
		"twice":                 {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop-config}\n", []string{"twice", "templates/bad.yaml"}},
		"name of another place": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ../secrets/a}\n", []string{"ConfigMap"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			_, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{"config.yaml": configMap, "bad.yaml": c.text})), engine.ApplyOptions{})
			f.refused(err, nil, c.says...)
			var typed *engine.Error
			var problems *engine.ProblemsError
			if !errors.As(err, &typed) && !errors.As(err, &problems) {
				t.Errorf("%T: %v", err, err)
			}
		})
	}
}

// The values of a Secret that the API server rejects are hidden.
func TestRefusedSecretsNeverShow(t *testing.T) {
	for name, text := range map[string]string{
		"number":     "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: 918273645}\n",
		"no base64":  "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {pin: \"918273645 !\"}\n",
		"a map":      "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {pin: {value: \"918273645\"}}\n",
		"a list":     "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: [\"918273645\"]\n",
		"bad docker": "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/dockerconfigjson\nmetadata: {name: s}\nstringData: {.dockerconfigjson: \"918273645\"}\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(map[string]string{"s.yaml": text}))
			var out bytes.Buffer
			for _, dryRun := range []engine.DryRun{engine.DryRunChanged, engine.DryRunAll, engine.DryRunNone} {
				p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: dryRun})
				fmt.Fprintln(&out, err)
				if p != nil {
					fmt.Fprintln(&out, p.Err())
					if err := p.Report.WriteText(&out, diff.TextOptions{Verbose: true}); err != nil {
						t.Error(err)
					}
					if err := json.NewEncoder(&out).Encode(p); err != nil {
						t.Error(err)
					}
				}
			}
			rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
			fmt.Fprintln(&out, err)
			if err == nil {
				t.Error("the Secret was accepted")
			}
			if rev != nil {
				fmt.Fprintln(&out, rev.Description)
			}
			for _, e := range f.events.take() {
				fmt.Fprintln(&out, e)
			}
			if strings.Contains(out.String(), "918273645") {
				t.Errorf("it shows:\n%s", &out)
			}
		})
	}
}

// However a chart writes a value, the same value deployed again is no change.
func TestWaysOfWritingAreNoChange(t *testing.T) {
	f := newFixture(t)
	text := `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {}, annotations: null}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: "25%"}}
  template:
    metadata: {labels: {app: web}, creationTimestamp: null}
    spec:
      terminationGracePeriodSeconds: 0
      nodeSelector: {}
      tolerations: []
      securityContext: {}
      initContainers: []
      containers:
      - name: web
        image: web:1
        env:
        - {name: NUM, value: "08080"}
        - {name: EMPTY, value: ""}
        - {name: NONE}
        envFrom: []
        ports:
        - {containerPort: 8080, name: http}
        resources:
          requests: {cpu: 1000m, memory: 1024Mi, ephemeral-storage: "1e9"}
          limits: {cpu: 2, memory: 1.5Gi}
        livenessProbe: {httpGet: {port: http, path: /}, initialDelaySeconds: 0}
        readinessProbe: {httpGet: {port: 8080}}
      volumes: [{name: v, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: "http", name: s}, {port: 443, targetPort: 8080, name: i}]
---
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {a: "YQ=="}
stringData: {b: c}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: claim}
spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1024Mi}}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: net}
spec: {podSelector: {}, ingress: [], policyTypes: [Ingress]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: p}
spec: {minAvailable: 50%, selector: {matchLabels: {app: web}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: j}
spec:
  schedule: "0 0 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a:1}]}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: r}
rules: []
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i}
spec: {rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}
`
	c := f.chart(map[string]string{"all.yaml": text, "values.yaml": "gone: {a: 1}\nbig: 9007199254740993\nlist: []\n"})
	r := f.release(c)
	values, err := render.MergeValues(render.FromYAML("v", []byte("gone: null\nbig: 9007199254740995\nfloat: 1e21\ntiny: 0.1\nempty: {}\ndate: 2026-01-02\noctal: 0o17\n")))
	if err != nil {
		t.Fatal(err)
	}
	r.Values = values
	if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	f.requests.Reset()
	p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: engine.DryRunAll})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Report.Changes {
		if c.Changed() {
			t.Errorf("%s is %s: %+v", c.Object, c.Action, c.Fields)
		}
	}
	if p.Changed() {
		t.Error("the plan of no change has something to record")
	}
	rev, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
	if err != nil || rev.Revision != 1 || len(f.writes()) > 0 {
		t.Errorf("deployed again: %v, %v, wrote %v", rev, err, f.writes())
	}
	// The same quantities, written in another way.
	other := strings.NewReplacer("1000m", `"1"`, "1024Mi", "1Gi", "cpu: 2,", "cpu: 2000m,", "1.5Gi", "1536Mi").Replace(text)
	r.Source = f.chart(map[string]string{"all.yaml": other, "values.yaml": "gone: {a: 1}\nbig: 9007199254740993\nlist: []\n"})
	p, err = f.engine.Plan(f.ctx, r, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Report.Changes {
		if c.Changed() {
			t.Errorf("written in another way, %s is %s: %+v", c.Object, c.Action, c.Fields)
		}
	}
	web, err := f.client.AppsV1().Deployments(f.namespace).Get(f.ctx, "web", metav1.GetOptions{})
	if err != nil || web.Generation != 1 {
		t.Errorf("generation is %d, %v", web.Generation, err)
	}
}
