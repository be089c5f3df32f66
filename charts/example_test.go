package charts_test

import (
	"context"
	"fmt"
	"log"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/render"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A web application of three pods, reached on port 30000 of every node.
func Example() {
	values, err := charts.WebAppValues{
		Replicas: new(int32(3)),
		Image:    charts.Image{Repository: "registry.example.com/shop", Tag: "1.0"},
		Service:  charts.WebAppService{Type: "NodePort", Port: 9000, NodePort: 30000},
	}.Values()
	if err != nil {
		log.Fatal(err)
	}
	manifest, err := charts.WebApp().Render(context.Background(), render.Input{Name: "shop", Namespace: "prod", Values: values})
	if err != nil {
		log.Fatal(err)
	}
	for _, object := range manifest.Objects {
		fmt.Println(object.GetKind(), object.GetName())
	}
	fmt.Println(manifest.Notes)
	// Output:
	// ServiceAccount shop
	// Service shop
	// Deployment shop
	// shop, revision 1, runs registry.example.com/shop:1.0 in namespace prod.
	//
	// Follow the rollout:
	//   kubectl -n prod rollout status deployment/shop
	// Read the logs:
	//   kubectl -n prod logs deployment/shop -c web
	// Reach it on any node, at port 30000:
	//   kubectl -n prod get service shop
}

// A database of three pods with a StorageClass of its own.
func ExampleDatabase() {
	values, err := charts.DatabaseValues{
		Replicas:     new(int32(3)),
		Auth:         charts.DatabaseAuth{ExistingSecret: "shop-db-credentials"},
		Storage:      charts.DatabaseStorage{Size: resource.MustParse("20Gi")},
		StorageClass: charts.DatabaseStorageClass{Create: true, Provisioner: "ebs.csi.aws.com", Parameters: map[string]string{"type": "gp3"}},
	}.Values()
	if err != nil {
		log.Fatal(err)
	}
	manifest, err := charts.Database().Render(context.Background(), render.Input{Name: "shop-db", Namespace: "prod", Values: values})
	if err != nil {
		log.Fatal(err)
	}
	for _, object := range manifest.Objects {
		fmt.Println(object.GetKind(), object.GetName())
	}
	// Output:
	// PodDisruptionBudget shop-db
	// ServiceAccount shop-db
	// ConfigMap shop-db-config
	// StorageClass prod.shop-db
	// Service shop-db-headless
	// Service shop-db
	// StatefulSet shop-db
}
