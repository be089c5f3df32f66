package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const (
	webOf    = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web%s}\nspec:\n  selector: {matchLabels: {app: %s}}\n  template:\n    metadata: {labels: {app: %s}}\n    spec: {%scontainers: [{name: web, image: 'web:1'%s}]}\n"
	typedCRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: rays.GROUP}\nspec: {group: GROUP, scope: Namespaced, names: {plural: rays, singular: ray, kind: Ray}, versions: [{name: v1, served: true, storage: true, subresources: {status: {}}, schema: {openAPIV3Schema: {type: object, properties: {status: {type: object, x-kubernetes-preserve-unknown-fields: true}, spec: {type: object, properties: {version: {type: string}, size: {type: integer}, labels: {type: object, additionalProperties: {type: string}}}}}}}}]}\n"
)

// A number or boolean where a string belongs is named, with "put it in quotes",
// wherever it is.
func TestQuotesAreAskedFor(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	crd := strings.ReplaceAll(typedCRD, "GROUP", group)
	web := func(metadata, selector, label, spec, container string) string {
		return fmt.Sprintf(webOf, metadata, selector, label, spec, container)
	}
	config := func(rest string) string { return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c" + rest + "\n" }
	ray := "apiVersion: " + group + "/v1\nkind: Ray\nmetadata: {name: r%s}\nspec: {%s}\n"
	hook := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\ndata: {k: 5}\n"
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: job-, annotations: {helm.sh/hook: pre-install}}\nspec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: a, env: [{name: A, value: true}]}]}}}\n"
	f.make(crds, "", crd)
	f.requests.Reset()
	f.deleteCRD("rays." + group)
	for name, c := range map[string]struct{ text, object, field string }{
		"ConfigMap data":             {config("}\ndata: {k: 5}"), "ConfigMap", "data.k"},
		"ConfigMap data, bool":       {config("}\ndata: {k: true}"), "ConfigMap", "data.k"},
		"ConfigMap annotation":       {config(", annotations: {a: 5}}"), "ConfigMap", `metadata.annotations["a"]`},
		"ConfigMap annotation bool":  {config(", annotations: {example.com/a: false}}"), "ConfigMap", `metadata.annotations["example.com/a"]`},
		"ConfigMap label":            {config(", labels: {l: 1.5}}"), "ConfigMap", `metadata.labels["l"]`},
		"Secret stringData":          {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: 12345}\n", "Secret", "stringData.k"},
		"Secret data":                {"apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {k: 12345}\n", "Secret", "data.k"},
		"env value":                  {web("", "web", "web", "", ", env: [{name: A, value: 1}]"), "Deployment", "env[name=\"A\"].value"},
		"args":                       {web("", "web", "web", "", ", args: [a, 8080]"), "Deployment", "args"},
		"node selector":              {web("", "web", "web", "nodeSelector: {ssd: true}, ", ""), "Deployment", "spec.template.spec.nodeSelector.ssd"},
		"selector":                   {web("", "1", "1", "", ""), "Deployment", "spec.selector.matchLabels.app"},
		"pod annotation":             {strings.Replace(web("", "web", "web", "", ""), "labels: {app: web}}", "labels: {app: web}, annotations: {v: 3}}", 1), "Deployment", "spec.template.metadata.annotations.v"},
		"workload label":             {web(", labels: {v: 1}", "web", "web", "", ""), "Deployment", `metadata.labels["v"]`},
		"custom resource":            {fmt.Sprintf(ray, "", "version: 1.2"), "Ray", "spec.version"},
		"custom resource map":        {fmt.Sprintf(ray, "", "labels: {a: true}"), "Ray", "spec.labels.a"},
		"custom resource annotation": {fmt.Sprintf(ray, ", annotations: {a: 5}", "version: a"), "Ray", `metadata.annotations["a"]`},
		"Service selector":           {"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {v: 1}, ports: [{port: 80}]}\n", "Service", "spec.selector.v"},
		"hook":                       {hook, "ConfigMap", "data.k"},
		"hook's environment":         {job, "Job", "env[name=\"A\"].value"},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.release(f.chart(map[string]string{"x.yaml": c.text}))
			for _, dryRun := range []engine.DryRun{engine.DryRunChanged, engine.DryRunNone} {
				if dryRun == engine.DryRunNone && (strings.Contains(c.text, "helm.sh/hook") || c.object == "Ray") {
					continue // hooks are not looked at then, and the schema is published a moment later
				}
				p, err := f.engine.Plan(f.ctx, r, engine.PlanOptions{DryRun: dryRun})
				if err == nil { // the renderer has not refused it
					err = p.Err()
				}
				f.says(t, err, c.object, c.field, "in quotes")
			}
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
			f.says(t, err, c.object, c.field, "in quotes")
			if w := f.writes(); len(w) > 0 {
				t.Errorf("wrote %v", w)
			}
		})
	}
}

// says checks the text of an error: that it says something, and that it has
// nothing that only who wrote the API server understands.
func (f *fixture) says(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	text := err.Error()
	for _, s := range texts {
		if !strings.Contains(text, s) {
			t.Errorf("%q is not in: %s", s, text)
		}
	}
	for _, s := range []string{`""`, "&value.", "[[", "&{", "&v1.", "v1.LabelSelector", "core.PodSpec", "map[", "interface {}", "Go struct", "12345", "fix the template"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is in: %s", s, text)
		}
	}
}

// What only the API server sets is left out wherever it is: in objects that are
// created and that change, in custom resources, and in hooks.
func TestWhatTheServerSetsIsLeftOut(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	f.make(crds, "", strings.ReplaceAll(typedCRD, "GROUP", group))
	f.deleteCRD("rays." + group)
	const server = "resourceVersion: '17', uid: 12345678-1234-1234-1234-123456789012, generation: 4, creationTimestamp: '2020-01-01T00:00:00Z', selfLink: /x, deletionTimestamp: '2020-01-01T00:00:00Z', deletionGracePeriodSeconds: 0, managedFields: [{manager: kubectl, operation: Update, apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {'f:data': {}}}]"
	chart := func(v string) engine.Release {
		return f.release(f.chart(map[string]string{
			"config.yaml":  "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, " + server + "}\ndata: {a: '" + v + "'}\n",
			"service.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: s, " + server + ", labels: {v: 'v" + v + "'}}\nspec: {ports: [{port: 80}]}\nstatus: {loadBalancer: {}, conditions: []}\n",
			"web.yaml":     fmt.Sprintf(webOf, ", "+server, "web", "web", "", ", args: ['"+v+"']") + "status: {replicas: 7, observedGeneration: 3}\n",
			"ray.yaml":     "apiVersion: " + group + "/v1\nkind: Ray\nmetadata: {name: r, " + server + "}\nspec: {version: '" + v + "'}\nstatus: {phase: Running}\n",
			"hook.yaml":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: \"pre-install,pre-upgrade\"}, " + server + "}\ndata: {a: '" + v + "'}\n",
		}))
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // a new kind is served a moment later
		_, err := f.engine.Plan(ctx, chart("1"), engine.PlanOptions{})
		return err
	})
	for _, v := range []string{"1", "2"} {
		if _, err := f.engine.Deploy(f.ctx, chart(v), engine.ApplyOptions{NoWait: true}); err != nil {
			t.Fatal(err)
		}
		for path, at := range map[string]string{"v1/configmaps/c": "data.a", "v1/configmaps/hook": "data.a", group + "/v1/rays/r": "spec.version"} {
			o := f.object(path)
			if got, _, _ := unstructured.NestedString(o, strings.Split(at, ".")...); got != v || o["status"] != nil {
				t.Errorf("%s has %q, status %v", path, got, o["status"])
			}
		}
	}
	f.settled(chart("2"))
}

// A quota, an admission policy or webhook says what it is, and what to do, and
// not that the template is wrong, or that a permission is missing.
func TestRefusalsSayWhatTheyAre(t *testing.T) {
	f := newFixture(t)
	f.create("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: small}\nspec: {hard: {count/configmaps: '1', count/services: '0', count/jobs.batch: '0'}}")
	mutates := f.serves("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy")
	f.policies(mutates)
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n"
	binding := "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: %s}\nrules: []\n"
	for name, c := range map[string]struct {
		text string
		says []string
	}{
		"quota":                      {service, []string{"Service", "exceeded quota: small", "raise the quota"}},
		"quota of what is not tried": {configMap, []string{"ConfigMap", "exceeded quota: small", "raise the quota"}},
		"quota of a hook":            {hookJobOf("name: x", "helm.sh/hook: pre-install", "", "Never"), []string{"Job", "exceeded quota: small", "raise the quota"}},
		"validating policy":          {fmt.Sprintf(binding, "refused"), []string{"Role", "ValidatingAdmissionPolicy " + f.namespace, "change it as the message asks", "no role may be called so"}},
		"mutating policy that fails": {fmt.Sprintf(binding, "broken"), []string{"Role", f.namespace, "policy", "change it as the message asks"}},
		"policy at a hook":           {strings.Replace(fmt.Sprintf(binding, "refused"), "name: refused", "name: refused, annotations: {helm.sh/hook: pre-install}", 1), []string{"Role", "ValidatingAdmissionPolicy " + f.namespace, "change it as the message asks"}},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "mutating") && !mutates {
				t.Skip("the API server has no MutatingAdmissionPolicy, which Kubernetes 1.36 is the first to have by default")
			}
			r := f.release(f.chart(map[string]string{"x.yaml": c.text}))
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{})
			f.says(t, err, c.says...)
			if errors.Is(err, engine.ErrForbidden) {
				t.Errorf("it is called a missing permission: %v", err)
			}
		})
	}
}

// policies installs admission for the namespace of the test alone: a policy that
// refuses Roles of one name and, where the API server has such policies, one whose
// mutation fails for those of another.
func (f *fixture) policies(mutating bool) {
	f.Helper()
	here := "namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: " + f.namespace + "}}"
	group := schema.GroupVersion{Group: "admissionregistration.k8s.io", Version: "v1"}
	for resource, text := range map[string]string{
		"validatingadmissionpolicies":       "kind: ValidatingAdmissionPolicy\nmetadata: {name: NAME}\nspec: {failurePolicy: Fail, matchConstraints: {resourceRules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [roles]}]}, validations: [{expression: \"object.metadata.name != 'refused'\", message: no role may be called so}]}\n",
		"validatingadmissionpolicybindings": "kind: ValidatingAdmissionPolicyBinding\nmetadata: {name: NAME}\nspec: {policyName: NAME, validationActions: [Deny], matchResources: {" + here + "}}\n",
		"mutatingadmissionpolicies":         "kind: MutatingAdmissionPolicy\nmetadata: {name: NAME}\nspec: {failurePolicy: Fail, reinvocationPolicy: Never, matchConstraints: {resourceRules: [{apiGroups: [rbac.authorization.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [roles]}]}, matchConditions: [{name: broken, expression: \"object.metadata.name == 'broken'\"}], mutations: [{patchType: JSONPatch, jsonPatch: {expression: '[JSONPatch{op: \"remove\", path: \"/metadata/nothing/here\"}]'}}]}\n",
		"mutatingadmissionpolicybindings":   "kind: MutatingAdmissionPolicyBinding\nmetadata: {name: NAME}\nspec: {policyName: NAME, matchResources: {" + here + "}}\n",
	} {
		if strings.HasPrefix(resource, "mutating") && !mutating {
			continue
		}
		text = "apiVersion: admissionregistration.k8s.io/v1\n" + strings.ReplaceAll(text, "NAME", f.namespace)
		f.make(group.WithResource(resource), "", text)
		client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(group.WithResource(resource))
		f.Cleanup(func() {
			if err := client.Delete(context.Background(), f.namespace, metav1.DeleteOptions{}); err != nil {
				f.Error(err)
			}
		})
	}
	roles := f.client.RbacV1().Roles(f.namespace)
	names := []string{"refused"}
	if mutating {
		names = append(names, "broken")
	}
	for _, name := range names { // a policy is in force a moment later
		testcluster.Eventually(f, time.Minute, func(ctx context.Context) error {
			_, err := roles.Create(ctx, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err == nil {
				return fmt.Errorf("the policy does not refuse %s yet", name)
			}
			return nil
		})
	}
}

// No message has values in Go's notation: of fields that cannot change, and of
// values of the wrong type.
func TestNoGoInMessages(t *testing.T) {
	f := newFixture(t)
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeSelector: {a: '%s'}, containers: [{name: a, image: a}]}\n"
	job := "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec: {completions: 1, template: {spec: {restartPolicy: Never, containers: [{name: a, image: 'a:%s'}]}}}\n"
	class := "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: " + f.namespace + "}\nprovisioner: x\nparameters: {a: '%s'}\n"
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: c}\nspec: {storageClassName: none, accessModes: [%s], resources: {requests: {storage: 1Gi}}}\n"
	web := func(selector, spec, container string) string {
		return fmt.Sprintf(webOf, "", selector, selector, spec, container)
	}
	set := "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: s}\nspec: {serviceName: '%s', selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: a, image: a}]}}}\n"
	defer func() {
		if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
			t.Error(err)
		}
	}()
	if _, err := f.engine.Deploy(f.ctx, f.release(f.chart(map[string]string{
		"p.yaml": fmt.Sprintf(pod, "1"), "j.yaml": fmt.Sprintf(job, "1"), "class.yaml": fmt.Sprintf(class, "1"),
		"claim.yaml": fmt.Sprintf(claim, "ReadWriteOnce"), "set.yaml": fmt.Sprintf(set, "a"), "web.yaml": web("web", "", ""),
	})), engine.ApplyOptions{NoWait: true}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ text, object, field string }{
		"Pod":                  {fmt.Sprintf(pod, "2"), "Pod", "spec.nodeSelector"},
		"Job":                  {fmt.Sprintf(job, "2"), "Job", "spec.template"},
		"StorageClass":         {fmt.Sprintf(class, "2"), "StorageClass", "parameters"},
		"claim":                {fmt.Sprintf(claim, "ReadWriteMany"), "PersistentVolumeClaim", "spec.accessModes"},
		"StatefulSet":          {fmt.Sprintf(set, "b"), "StatefulSet", "spec.serviceName"},
		"selector":             {web("other", "", ""), "Deployment", "spec.selector"},
		"mapping for a list":   {web("web", "", ", env: {A: b}"), "Deployment", "env: expected a list, got a mapping"},
		"list for a mapping":   {web("web", "nodeSelector: [a], ", ""), "Deployment", "nodeSelector: expected a mapping, got a list"},
		"lists in a list":      {web("web", "", ", args: [[]]"), "Deployment", "args[0]: expected a string, got a list"},
		"list of lists":        {web("web", "", ", ports: [[]]"), "Deployment", "ports: element 0: expected a mapping"},
		"string for a list":    {web("web", "", ", ports: http"), "Deployment", `ports: expected a list, got the string "http"`},
		"string for a number":  {web("web", "", ", ports: [{containerPort: http}]"), "Deployment", "containerPort: expected a number, got a string"},
		"string for a boolean": {web("web", "hostNetwork: 'yes', ", ""), "Deployment", "hostNetwork: expected a boolean"},
		"mapping for a string": {web("web", "", ", env: [{name: A, value: {a: b}}]"), "Deployment", "value: expected a string, got a mapping"},
		"data that is a list":  {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: [a]\n", "ConfigMap", "data: expected a mapping, got a list"},
		"no key":               {web("web", "", ", env: [{value: a}]"), "Deployment", "env"},
		"bad quantity":         {web("web", "", ", resources: {limits: {cpu: many}}"), "Deployment", `cpu: "many" is no quantity`},
	} {
		t.Run(name, func(t *testing.T) {
			r := f.release(f.chart(map[string]string{"x.yaml": c.text}))
			r.UnsafePrune = true
			_, err := f.engine.Deploy(f.ctx, r, engine.ApplyOptions{NoWait: true})
			if err == nil {
				t.Fatal("it is accepted")
			}
			text := strings.ReplaceAll(err.Error(), "fix the template", "") // which is right here
			f.says(t, errors.New(text), c.object, c.field)
		})
	}
}

// An unknown field, and an item that a list has twice, are problems by default.
// With FieldValidationWarn they are left out with a warning, as with Helm; so
// they are of what the history holds.
func TestUnknownFieldsCanBeWarnings(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.com"
	crd := strings.ReplaceAll(typedCRD, "GROUP", group)
	templates := map[string]string{
		"crds/ray.yaml": crd,
		"ray.yaml":      "apiVersion: " + group + "/v1\nkind: Ray\nmetadata: {name: r}\nspec: {version: a, sise: 1}\n",
		"web.yaml":      fmt.Sprintf(webOf, "", "web", "web", "replicants: 2, ", ", imagee: x, args: ['{{ .Values.v }}'], env: [{name: A, value: a}, {name: B, value: b}, {name: A, value: c}]"),
		"hook.yaml":     hookJobOf("name: hook", `helm.sh/hook: "pre-install,pre-upgrade,pre-rollback"`, "backoffLimitt: 0, ", "Never"),
	}
	f.deleteCRD("rays." + group)
	release := func(v string) engine.Release { return f.release(f.chart(templates), "v="+v) }
	p := f.plan(release("1"))
	f.says(t, p.Err(), "Ray", "spec.sise", "Deployment", "field not declared in schema", "Job", "spec.backoffLimitt", "Options.FieldValidation")
	// Beside an unknown field others, and repeated items, may be found only when
	// that is gone.
	repeated := maps.Clone(templates)
	repeated["web.yaml"] = strings.NewReplacer("replicants: 2, ", "", ", imagee: x", "").Replace(templates["web.yaml"])
	f.says(t, f.plan(f.release(f.chart(repeated), "v=1")).Err(), "Deployment", "more than one item with")

	strict := f.engine
	var err error
	if f.engine, err = engine.New(f.config, engine.Options{FieldValidation: engine.FieldValidationWarn, OnEvent: f.events.add}); err != nil {
		t.Fatal(err)
	}
	p = f.plan(release("1"))
	var text strings.Builder
	if err := p.Report.WriteText(&text, diff.TextOptions{}); err != nil || p.Err() != nil {
		t.Fatal(err, p.Err())
	}
	for _, s := range []string{"unknown field spec.sise is left out", "unknown field spec.template.spec.replicants is left out", `unknown field spec.template.spec.containers[name="web"].imagee is left out`, `has several items [name="A"]: the last one is applied`, `unknown field "spec.backoffLimitt"`} {
		if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), s) {
			t.Errorf("%q is not in\n%s", s, &text)
		}
	}
	for _, v := range []string{"1", "2"} {
		if _, err := f.engine.Deploy(f.ctx, release(v), engine.ApplyOptions{NoWait: true}); err != nil {
			t.Fatal(err)
		}
		f.settled(release(v))
	}
	container := first(at(f.object(webPath), "spec", "template", "spec", "containers"))
	if env, _ := at(container, "env").([]any); len(env) != 2 || at(env[1], "value") != "c" {
		t.Errorf("the environment is %v", env)
	}
	if _, err := strict.Rollback(f.ctx, f.key, 1, engine.ApplyOptions{NoWait: true}); err != nil {
		t.Errorf("what is stored cannot be gone back to: %v", err)
	}
	report, err := strict.Drift(f.ctx, f.key)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Changes {
		if c.Changed() {
			t.Errorf("drift: %s %v", c.Object, c.Fields)
		}
	}
}
