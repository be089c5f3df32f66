package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// story is the steps of the demo.
type story struct {
	out       io.Writer
	colour    bool
	width     int
	namespace string
	embedded  bool

	image, oldTag, newTag string
}

func (s *story) run(ctx context.Context, eng *engine.Engine) error {
	shop := engine.Key{Namespace: s.namespace, Name: "shop"}
	database := engine.Key{Namespace: s.namespace, Name: "shop-db"}

	s.step("Deploy %s: image %s, 3 replicas", shop.Name, s.oldTag)
	first, err := s.webApp(shop, s.oldTag, 3, "first version")
	if err != nil {
		return err
	}
	if err := s.deploy(ctx, eng, first); err != nil {
		return err
	}

	s.step("Deploy %s: 3 replicas, each with its own volume claim", database.Name)
	db, err := s.database(database)
	if err != nil {
		return err
	}
	if err := s.deploy(ctx, eng, db); err != nil {
		return err
	}

	s.step("Plan the next revision: image %s, 5 replicas", s.newTag)
	second, err := s.webApp(shop, s.newTag, 5, "image "+s.newTag+" for the winter sale")
	if err != nil {
		return err
	}
	plan, err := eng.Plan(ctx, second, engine.PlanOptions{})
	if err != nil {
		return err
	}
	if err := s.show(plan.Report); err != nil {
		return err
	}

	s.step("Apply exactly this plan")
	if err := s.applied(eng.Apply(ctx, plan, engine.ApplyOptions{})); err != nil {
		return err
	}

	s.step("Show the history, with causes")
	if err := s.history(ctx, eng, shop); err != nil {
		return err
	}

	s.step("Roll back to revision 1")
	if err := s.applied(eng.Rollback(ctx, shop, 1, engine.ApplyOptions{})); err != nil {
		return err
	}
	if err := s.history(ctx, eng, shop); err != nil {
		return err
	}

	s.step("Uninstall both, keeping the data")
	if err := eng.Uninstall(ctx, shop, engine.ApplyOptions{}); err != nil {
		return err
	}
	if err := eng.Uninstall(ctx, database, engine.ApplyOptions{}); err != nil {
		return err
	}
	fmt.Fprintf(s.out, "\nThe volume claims of %s and their data were kept: if it is deployed again, it uses them.\n", database.Name)
	if s.embedded {
		fmt.Fprintln(s.out, "(This cluster and everything in it is deleted now.)")
	} else {
		fmt.Fprintf(s.out, "To delete them as well: kubectl delete namespace %s\n", s.namespace)
	}
	return nil
}

func (s *story) webApp(k engine.Key, tag string, replicas int32, cause string) (engine.Release, error) {
	values, err := charts.WebAppValues{
		Image:    charts.Image{Repository: s.image, Tag: tag},
		Replicas: ptr.To(replicas),
		Service:  charts.WebAppService{Port: 9000},
	}.Values()
	return engine.Release{Key: k, Source: charts.WebApp(), Values: values, Cause: cause, CreateNamespace: true}, err
}

func (s *story) database(k engine.Key) (engine.Release, error) {
	v := charts.DatabaseValues{
		Engine:   "postgresql",
		Replicas: ptr.To[int32](3),
		Auth:     charts.DatabaseAuth{Password: "only-for-the-demo"},
		Storage:  charts.DatabaseStorage{Size: resource.MustParse("1Gi")},
	}
	if s.embedded { // otherwise, use the cluster's default class
		v.StorageClass = charts.DatabaseStorageClass{Create: true, Provisioner: "fairlead.dev/volume"}
	}
	values, err := v.Values()
	return engine.Release{Key: k, Source: charts.Database(), Values: values, Cause: "a database for the shop", CreateNamespace: true}, err
}

func (s *story) deploy(ctx context.Context, eng *engine.Engine, r engine.Release) error {
	return s.applied(eng.Deploy(ctx, r, engine.ApplyOptions{}))
}

// applied prints the resulting revision.
func (s *story) applied(rev *engine.Revision, err error) error {
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s is at revision %d: %s\n", rev.Name, rev.Revision, rev.Description)
	return nil
}

func (s *story) step(format string, args ...any) {
	title := fmt.Sprintf(format, args...)
	if s.colour {
		title = "\x1b[1;36m" + title + "\x1b[0m"
	}
	fmt.Fprintf(s.out, "\n== %s\n", title)
}

func (s *story) show(r diff.Report) error {
	return r.WriteText(s.out, diff.TextOptions{Color: s.colour, Width: s.width})
}

func (s *story) history(ctx context.Context, eng *engine.Engine, k engine.Key) error {
	revisions, err := eng.History(ctx, k)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REVISION\tUPDATED\tSTATUS\tCHART\tCAUSE")
	for _, r := range revisions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.Revision, r.Updated.Format(time.TimeOnly), r.Status, r.Chart, r.Cause)
	}
	return w.Flush()
}
