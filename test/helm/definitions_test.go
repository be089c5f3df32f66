package helm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// Two releases bring one definition in crds/, in two versions: whichever comes
// first, the newer one is live at the end, and the older release can be deployed
// again. Helm leaves the one that came first.
func TestTwoReleasesWithOneDefinition(t *testing.T) {
	testcluster.Need(t)
	cluster := testcluster.Shared(t)
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	for name, c := range map[string]struct {
		order []string
		helm  bool // ends with the newer one
	}{
		"the newer one first":         {[]string{"newer", "older", "older"}, true},
		"the older one first":         {[]string{"older", "newer", "older"}, false},
		"the older one in between":    {[]string{"newer", "older", "newer"}, true},
		"the older one becomes newer": {[]string{"older", "older", "older to newer"}, false},
	} {
		for _, who := range []string{"Helm", "engine"} {
			t.Run(name+", "+who, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
				t.Cleanup(cancel)
				client := dynamic.NewForConfigOrDie(cluster.Config())
				group := cluster.Namespace(t) + ".example.com"
				t.Cleanup(func() {
					if err := client.Resource(crds).Delete(context.Background(), "cranes."+group, metav1.DeleteOptions{}); err != nil {
						t.Error(err)
					}
				})
				definition := func(fields string) string {
					return "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: cranes." + group + "}\nspec: {group: " + group + ", scope: Namespaced, names: {plural: cranes, singular: crane, kind: Crane, listKind: CraneList}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {" + fields + "}}}}}}]}\n"
				}
				versions := map[string]string{"older": definition("size: {type: integer}"), "newer": definition("size: {type: integer}, reach: {type: integer}")}
				tools, places := map[string]tool{}, map[string]*place{}
				for _, release := range []string{"older", "newer"} {
					p := &place{ctx: ctx, client: kubernetes.NewForConfigOrDie(cluster.Config()), dynamic: client, namespace: cluster.Namespace(t), folder: t.TempDir()}
					places[release] = p
					if who == "engine" {
						e, err := engine.New(cluster.Config(), engine.Options{})
						if err != nil {
							t.Fatal(err)
						}
						tools[release] = engineTool(p, e, nil)
						continue
					}
					h, err := openHelm3(cluster.Kubeconfig, p.namespace)
					if err != nil {
						t.Fatal(err)
					}
					tools[release] = helmTool(p, h)
				}
				installed := map[string]bool{}
				for i, step := range c.order {
					release, version, changes := strings.Cut(step, " to ")
					if !changes {
						version = release
					}
					p, tool := places[release], tools[release]
					if err := errors.Join(p.write(config("", fmt.Sprintf("{step: '%d'}", i))), p.writeFile("crds/crane.yaml", versions[version])); err != nil {
						t.Fatal(err)
					}
					deploy := tool.install
					if installed[release] {
						deploy = tool.upgrade
					}
					installed[release] = true
					if err := deploy(); err != nil {
						t.Fatal(err)
					}
				}
				u, err := client.Resource(crds).Get(ctx, "cranes."+group, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if newer := strings.Contains(fmt.Sprint(u.Object["spec"]), "reach"); newer != (c.helm || who == "engine") {
					t.Errorf("the newer definition is live: %v", newer)
				}
			})
		}
	}
}

// writeFile writes a file of the chart.
func (p *place) writeFile(name, text string) error {
	file := filepath.Join(p.folder, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o600)
}
