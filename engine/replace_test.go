package engine_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// frozenCase is a template with an immutable field that changes from x=1 to x=2.
type frozenCase struct {
	template string
	resource schema.GroupVersionResource
	cluster  bool // cluster-scoped
	fields   []string
	reason   string // part of what the plan says of a replacement
}

func named(text string) string {
	return strings.ReplaceAll(text, "NAME", `frozen-{{ .Release.Namespace | trunc -6 }}`)
}

func (f *fixture) frozen() string { return "frozen-" + f.namespace[len(f.namespace)-6:] }

var frozenCases = map[string]frozenCase{
	"Job template": {
		template: "apiVersion: batch/v1\nkind: Job\nmetadata: {name: NAME}\nspec:\n  template:\n    spec:\n      restartPolicy: Never\n      terminationGracePeriodSeconds: 0\n      containers: [{name: job, image: 'job:{{ .Values.x }}'}]\n",
		resource: schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"},
		fields:   []string{`spec.template.spec.containers[name="job"].image`}, reason: "it runs once more",
	},
	"selector": {
		template: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: NAME}\nspec:\n  replicas: 1\n  selector: {matchLabels: {x: 'v{{ .Values.x }}'}}\n  template:\n    metadata: {labels: {x: 'v{{ .Values.x }}'}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{name: web, image: 'web:1'}]\n",
		resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"},
		fields:   []string{"spec.selector.matchLabels.x"}, reason: "nothing of it runs in between",
	},
	"Service clusterIP": {
		template: "apiVersion: v1\nkind: Service\nmetadata: {name: NAME}\nspec:\n  {{ if eq (int .Values.x) 2 }}clusterIP: None{{ end }}\n  ports: [{port: 80}]\n",
		resource: schema.GroupVersionResource{Version: "v1", Resource: "services"},
		fields:   []string{"spec.clusterIP"}, reason: "another address",
	},
	"StorageClass parameters": {
		template: "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: NAME}\nprovisioner: fairlead.dev/volume\nparameters: {tier: 'v{{ .Values.x }}'}\nreclaimPolicy: {{ if eq (int .Values.x) 1 }}Delete{{ else }}Retain{{ end }}\n",
		resource: schema.GroupVersionResource{Group: "storage.k8s.io", Version: "v1", Resource: "storageclasses"}, cluster: true,
		fields: []string{"parameters.tier", "reclaimPolicy"}, reason: "stay as they are",
	},
	"RoleBinding roleRef": {
		template: "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: NAME}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ if eq (int .Values.x) 1 }}view{{ else }}edit{{ end }}}\nsubjects: [{kind: ServiceAccount, name: default, namespace: {{ .Release.Namespace }}}]\n",
		resource: schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
		fields:   []string{"roleRef.name"}, reason: "lack the role",
	},
	"immutable ConfigMap": {
		template: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\nimmutable: true\ndata: {x: 'v{{ .Values.x }}'}\n",
		resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		fields:   []string{"data.x"}, reason: "wait for it",
	},
	"immutable Secret": {
		template: "apiVersion: v1\nkind: Secret\nmetadata: {name: NAME}\nimmutable: true\nstringData: {x: 'hidden{{ .Values.x }}'}\n",
		resource: schema.GroupVersionResource{Version: "v1", Resource: "secrets"},
		fields:   []string{"data.x"}, reason: "wait for it",
	},
	"claim": {
		template: "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: NAME}\nspec:\n  storageClassName: manual\n  accessModes: [{{ if eq (int .Values.x) 1 }}ReadWriteOnce{{ else }}ReadWriteMany{{ end }}]\n  resources: {requests: {storage: 1Gi}}\n",
		resource: schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"},
		fields:   []string{"spec.accessModes"}, reason: "ITS DATA WITH IT",
	},
	"StatefulSet serviceName": {
		template: "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: NAME}\nspec:\n  serviceName: v{{ .Values.x }}\n  replicas: 1\n  selector: {matchLabels: {app: db}}\n  template:\n    metadata: {labels: {app: db}}\n    spec:\n      terminationGracePeriodSeconds: 0\n      containers: [{name: db, image: 'db:1'}]\n",
		resource: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "statefulsets"},
		fields:   []string{"spec.serviceName"}, reason: "their data stay",
	},
}

func TestImmutableFieldsAreRefusedOrReplaced(t *testing.T) {
	for name, c := range frozenCases {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			r := f.release(f.chart(map[string]string{"frozen.yaml": named(c.template)}), "x=1")
			if _, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true}); err != nil {
				t.Fatal(err)
			}
			objects := f.objects(c)
			before, err := objects.Get(f.ctx, f.frozen(), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if c.cluster {
				t.Cleanup(func() { objects.Delete(context.Background(), before.GetName(), metav1.DeleteOptions{}) })
			}

			f.requests.Reset()
			next := f.release(f.chart(map[string]string{"frozen.yaml": named(c.template)}), "x=2")
			_, err = f.engine.Deploy(f.ctx, next, engine.ApplyOptions{NoWait: true})
			var problems *engine.ProblemsError
			if !errors.As(err, &problems) || len(problems.Problems) != 1 || problems.Problems[0].Kind != engine.ProblemImmutable {
				t.Fatalf("deploying: %v, want a ProblemImmutable", err)
			}
			if d := cmp.Diff(c.fields, problems.Problems[0].Fields); d != "" {
				t.Errorf("fields of the problem: %s\nin %v", d, err)
			}
			if w := f.writes(); len(w) > 0 {
				t.Errorf("the refused deploy writes %v", w)
			}

			eng, err := engine.New(f.config, engine.Options{Replace: []engine.Replace{{Kind: before.GetKind(), Policy: engine.ReplaceRecreate}}})
			if err != nil {
				t.Fatal(err)
			}
			plan, err := eng.Plan(f.ctx, next, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			change := plan.Report.Changes[0]
			if change.Action != diff.Replaced || !strings.Contains(change.Reason, c.reason) || plan.Err() != nil {
				t.Errorf("planned %s: %q, problems %v; want Replaced, saying %q", change.Action, change.Reason, plan.Err(), c.reason)
			}
			var marked []string
			for _, field := range change.Fields {
				if field.Immutable {
					marked = append(marked, field.Path)
				}
			}
			if slices.Sort(marked); !cmp.Equal(c.fields, marked) {
				t.Errorf("fields marked as immutable: %v, want %v", marked, c.fields)
			}
			if strings.Contains(change.Reason, "hidden") {
				t.Errorf("the reason has a secret: %s", change.Reason)
			}
			if _, err := eng.Apply(f.ctx, plan, engine.ApplyOptions{}); err != nil {
				if c.resource.Resource != "persistentvolumeclaims" { // no volume fits it
					t.Fatal(err)
				}
			}
			after, err := objects.Get(f.ctx, before.GetName(), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if after.GetUID() == before.GetUID() {
				t.Error("the object was not replaced")
			}
			again, err := eng.Plan(f.ctx, next, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if again.Report.Changes[0].Changed() {
				t.Errorf("once more: %s", again.Report.Summary())
			}
		})
	}
}

func (f *fixture) objects(c frozenCase) dynamic.ResourceInterface {
	f.Helper()
	client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(c.resource)
	if c.cluster {
		return client
	}
	return client.Namespace(f.namespace)
}

// A rule for all kinds does not match objects with data, and rules take precedence
// over the annotation.
func TestWhichPolicyApplies(t *testing.T) {
	f := newFixture(t)
	claim, config := frozenCases["claim"], frozenCases["immutable ConfigMap"]
	templates := func(annotation string) map[string]string {
		with := func(text string) string {
			return strings.Replace(named(text), "metadata: {name:", "metadata: {annotations: {"+engine.AnnotationReplace+": '"+annotation+"'}, name:", 1)
		}
		return map[string]string{"claim.yaml": with(claim.template), "config.yaml": with(config.template)}
	}
	if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(templates("")), "x=1"), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	all := []engine.Replace{{Policy: engine.ReplaceRecreate}}
	for name, c := range map[string]struct {
		rules      []engine.Replace
		annotation string
		want       string // actions of claim and ConfigMap, "!" for a problem
	}{
		"nothing":                  {nil, "", "! !"},
		"a rule for all":           {all, "", "! Replaced"},
		"the annotation":           {nil, "recreate", "Replaced Replaced"},
		"the annotation, wrong":    {nil, "perhaps", "! !"},
		"a rule, then annotation":  {[]engine.Replace{{Kind: "ConfigMap", Policy: engine.ReplaceNever}}, "orphan", "Replaced !"},
		"a rule by kind and name":  {[]engine.Replace{{Kind: "PersistentVolumeClaim", Name: "frozen-*", Policy: engine.ReplaceRecreate}}, "", "Replaced !"},
		"a rule for another name":  {[]engine.Replace{{Kind: "ConfigMap", Name: "web", Policy: engine.ReplaceRecreate}}, "", "! !"},
		"a rule for another group": {[]engine.Replace{{Kind: "ConfigMap.apps", Policy: engine.ReplaceRecreate}}, "", "! !"},
	} {
		e, err := engine.New(f.config, engine.Options{Replace: c.rules})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := e.Plan(f.ctx, f.release(f.chart(templates(c.annotation)), "x=2"), engine.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, change := range plan.Report.Changes {
			got[change.Object.Kind] = string(change.Action)
		}
		for _, p := range plan.Problems {
			got[p.Object.Kind] = "!"
		}
		if s := got["PersistentVolumeClaim"] + " " + got["ConfigMap"]; s != c.want {
			t.Errorf("%s: %s, want %s; %v", name, s, c.want, plan.Err())
		}
	}
}

var errDead = errors.New("the process is dead")

// If the process is killed between deletion and creation, the next deploy
// continues.
func TestReplacementSurvivesAKill(t *testing.T) {
	f := newFixture(t)
	c := frozenCases["immutable ConfigMap"]
	chart := f.chart(map[string]string{"frozen.yaml": named(c.template)})
	f.deploy(f.release(chart, "x=1"))
	var dead atomic.Bool
	ctx, die := context.WithCancel(f.ctx)
	defer die()
	eng, err := engine.New(testcluster.Inject(f.config, func(req *http.Request) (*http.Response, error) {
		if dead.Load() {
			return nil, errDead
		}
		if req.Method == http.MethodDelete && strings.Contains(req.URL.Path, "/configmaps/") {
			dead.Store(true)
			time.AfterFunc(500*time.Millisecond, die) // so that a wait ends
		}
		return nil, nil
	}), engine.Options{Replace: []engine.Replace{{Kind: "ConfigMap", Policy: engine.ReplaceRecreate}}, LeaseDuration: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Deploy(ctx, f.release(chart, "x=2"), engine.ApplyOptions{}); err == nil {
		t.Fatal("the deploy that died succeeds")
	}
	if _, err := f.objects(c).Get(f.ctx, f.frozen(), metav1.GetOptions{}); err == nil {
		t.Fatal("the object is there: the death was too early")
	}
	f.deploy(f.release(chart, "x=2"))
	f.wantHistory("1 superseded", "2 failed", "3 deployed")
	if _, err := f.objects(c).Get(f.ctx, f.frozen(), metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
}
