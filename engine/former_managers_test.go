package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
)

// Objects that come from other tools are adopted as those of Helm are: what the
// chart does not have goes away, whichever way the tool wrote it.
func TestManagersOfOtherTools(t *testing.T) {
	tools := map[string][]string{
		"Flux": engine.FluxManagers(), "Argo CD": engine.ArgoCDManagers(), "Terraform": engine.TerraformManagers(), "kubectl": engine.KubectlManagers(),
	}
	objects := map[schema.GroupVersionResource]string{
		{Version: "v1", Resource: "configmaps"}:                 "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {team: a, GONE}}\ndata: {a: b, GONE}\n",
		{Version: "v1", Resource: "services"}:                   "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: web}, ports: [{name: http, port: 80}, GONE_PORT]}\n",
		{Group: "apps", Version: "v1", Resource: "deployments"}: fmt.Sprintf(webOf, "", "web", "web", "GONE_SPEC", ", env: [{name: A, value: b}, GONE_ENV]"),
		{Version: "v1", Resource: "persistentvolumeclaims"}:     "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d, labels: {GONE}}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}, storageClassName: none}\n",
	}
	full := strings.NewReplacer("GONE_PORT", "{name: gone, port: 81}", "GONE_SPEC", "terminationGracePeriodSeconds: 7, nodeSelector: {gone: x}, ", "GONE_ENV", "{name: GONE, value: x}", "GONE", "gone: x")
	less := strings.NewReplacer(", GONE_PORT", "", "GONE_SPEC", "", ", GONE_ENV", "", ", GONE", "", "GONE", "")
	for tool, managers := range tools {
		for _, manager := range managers {
			manager = strings.ReplaceAll(manager, "*", "helm_v2.9.0_x5")
			for _, apply := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, apply=%v", tool, manager, apply), func(t *testing.T) {
					f := newFixture(t)
					var err error
					if f.engine, err = engine.New(f.config, engine.Options{FormerManagers: slices.Concat(engine.HelmManagers(), managers), OnEvent: f.events.add}); err != nil {
						t.Fatal(err)
					}
					templates := map[string]string{}
					for r, text := range objects {
						f.writeAs(manager, apply, r, full.Replace(text))
						templates[r.Resource+".yaml"] = less.Replace(text)
					}
					release := f.release(f.chart(templates))
					release.Adopt = true
					if _, err := f.engine.Deploy(f.ctx, release, engine.ApplyOptions{NoWait: true}); err != nil {
						t.Fatal(err)
					}
					for _, path := range []string{"v1/configmaps/c", "v1/services/s", webPath, "v1/persistentvolumeclaims/d"} {
						o := f.object(path)
						unstructured.RemoveNestedField(o, "metadata", "managedFields")
						if text := strings.ToLower(fmt.Sprint(o)); strings.Contains(text, "gone") || strings.Contains(text, "terminationgraceperiodseconds:7") {
							t.Errorf("what the chart does not have is still in %s", text)
						}
					}
					f.settled(release)
				})
			}
		}
	}
}

// writeAs creates an object under another manager's name, by server-side apply
// or as an update.
func (f *fixture) writeAs(manager string, apply bool, r schema.GroupVersionResource, text string) {
	f.Helper()
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		f.Fatal(err)
	}
	client := dynamic.NewForConfigOrDie(f.cluster.Config()).Resource(r).Namespace(f.namespace)
	var err error
	if apply {
		_, err = client.Apply(f.ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: manager})
	} else {
		_, err = client.Create(f.ctx, u, metav1.CreateOptions{FieldManager: manager})
	}
	if err != nil {
		f.Fatal(err)
	}
}

// Unless asked, nothing of theirs is taken away, and what someone else added
// stays in any case.
func TestManagersOfOtherToolsUnlessAsked(t *testing.T) {
	for name, c := range map[string]struct {
		former []string
		gone   bool
	}{"not asked": {nil, false}, "asked": {engine.FluxManagers(), true}} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			var err error
			if f.engine, err = engine.New(f.config, engine.Options{FormerManagers: c.former}); err != nil {
				t.Fatal(err)
			}
			f.writeAs("kustomize-controller", true, configMaps, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b, gone: x}\n")
			f.change("v1/configmaps/c", "someone", types.MergePatchType, `{"data":{"theirs":"y"}}`)
			r := f.release(f.chart(map[string]string{"c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n"}))
			r.Adopt = true
			f.deploy(r)
			data, _ := at(f.object("v1/configmaps/c"), "data").(map[string]any)
			if data["theirs"] != "y" || (data["gone"] == nil) != c.gone {
				t.Errorf("data is %v", data)
			}
			f.settled(r)
		})
	}
}
