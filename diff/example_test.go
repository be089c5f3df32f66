package diff_test

import (
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

func deployment(image string, replicas int64) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apps/v1",
		"kind":       "Deployment",
		"metadata":   map[string]any{"name": "web", "namespace": "shop"},
		"spec": map[string]any{
			"replicas": replicas,
			"template": map[string]any{"spec": map[string]any{"containers": []any{
				map[string]any{"name": "web", "image": image},
			}}},
		},
	}}
}

func Example() {
	change, err := diff.Compare(diff.Input{
		Base:    deployment("web:1.0", 3), // applied last
		Live:    deployment("web:1.0", 4), // scaled by hand
		Desired: deployment("web:2.0", 3), // a new image
		Manager: "fairlead",
	}, diff.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := diff.Report{Title: "Release shop", Changes: []diff.Change{change}}
	if err := report.WriteText(os.Stdout, diff.TextOptions{Width: 80}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Release shop
	//
	// ~ Deployment shop/web                                                     update
	//   ~ spec.replicas  4 → 3  (drift)
	//   ~ spec.template.spec.containers[name="web"].image
	//         web:1.0 → web:2.0
	//
	// 1 to update (image), 1 drifted
}

func ExampleRedactor_String() {
	secret := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret",
		"metadata":   map[string]any{"name": "db"},
		"stringData": map[string]any{"password": "correct horse"},
	}}
	r := diff.NewRedactor(diff.RedactorOptions{}, secret)
	fmt.Println(r.String(`cannot connect with "correct horse"`))
	// Output:
	// cannot connect with "[secret]"
}
