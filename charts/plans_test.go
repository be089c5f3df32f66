package charts

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// From each scenario to the next of its chart: what the engine plans is what testdata/plans has. And once deployed, a
// scenario plans nothing over itself.
//
// The cluster's controllers are dead. What is live is then what was applied, with the API server's defaults, and the plans
// are the same each time.
func TestUpgradesPlanWhatOneExpects(t *testing.T) {
	cluster := ownCluster(t)
	installCRDs(t, cluster)
	for _, part := range []string{testcluster.ControllerManager, testcluster.Scheduler} {
		if err := cluster.Kill(part); err != nil {
			t.Fatal(err)
		}
	}
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	unset := unsetDefaults(t, cluster)
	all := scenarios(t)
	for i, from := range all {
		to := all[(i+1)%len(all)]
		if to.chart != from.chart {
			continue
		}
		t.Run(from.name+"--"+to.name, func(t *testing.T) {
			key := engine.Key{Namespace: fmt.Sprintf("prod-%02d", i), Name: from.release}
			opts := engine.ApplyOptions{NoWait: true, NoHooks: true} // nothing runs them here
			old := scenarioRelease(t, from, key)
			if _, err := eng.Deploy(t.Context(), old, opts); err != nil {
				t.Fatal(err)
			}
			again, err := eng.Plan(t.Context(), old, engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range again.Report.Changes {
				if change.Action != diff.Unchanged {
					t.Errorf("%s plans over itself: %s %s, %+v", from.name, change.Action, change.Object, change.Fields)
				}
			}
			plan, err := eng.Plan(t.Context(), scenarioRelease(t, to, key), engine.PlanOptions{})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.ReplaceAll(planText(plan), key.Namespace, "prod")
			checkGolden(t, filepath.Join("testdata/plans", from.name+"--"+to.name+".txt"), []byte(got), unset...)
			// A cluster has each node port once.
			if err := eng.Uninstall(t.Context(), key, opts); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// unsetDefaults are the defaults in testdata/plans that the API server does not set: they are those of the newest version.
func unsetDefaults(t *testing.T, cluster *testcluster.Cluster) []string {
	t.Helper()
	client, err := kubernetes.NewForConfig(cluster.Config())
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "a"}
	set, err := client.AppsV1().StatefulSets("default").Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec: appsv1.StatefulSetSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "a", Image: "a"}}},
		}},
	}, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatal(err)
	}
	if set.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable == nil {
		return []string{`"maxUnavailable":1,`}
	}
	return nil
}

func scenarioRelease(t *testing.T, s scenario, key engine.Key) engine.Release {
	t.Helper()
	values, err := render.MergeValues(render.FromMap(s.name, s.values))
	if err != nil {
		t.Fatal(err)
	}
	source := map[string]*render.Chart{"webapp": WebApp(), "database": Database()}[s.chart]
	// Many leave most of their objects behind, which is meant.
	return engine.Release{Key: key, Source: source, Values: values, CreateNamespace: true, UnsafePrune: true}
}

// planText is the substance of a plan: what becomes of each object, the fields with their causes, and what stands in the
// way. Not the report's own text, whose layout is for the tests of diff.
func planText(plan *engine.Plan) string {
	var out strings.Builder
	unchanged := 0
	for _, change := range plan.Report.Changes {
		if change.Action == diff.Unchanged {
			unchanged++
			continue
		}
		fmt.Fprintf(&out, "%s %s\n", change.Action, change.Object)
		for _, field := range change.Fields {
			if change.Action != diff.Created {
				fmt.Fprintf(&out, "  %s %s: %s → %s\n", field.Cause, field.Path, short(field, field.Live), short(field, field.Desired))
			}
		}
	}
	fmt.Fprintf(&out, "%d unchanged\n", unchanged)
	for _, hook := range plan.Hooks {
		fmt.Fprintf(&out, "hook %s %s, weight %d\n", hook.Event, hook.Object, hook.Weight)
	}
	for _, problem := range plan.Problems {
		fmt.Fprintf(&out, "problem %s %s %s\n", problem.Kind, problem.Object, strings.Join(problem.Fields, " "))
	}
	return out.String()
}

// What the API server picks by chance: addresses, and node ports that no scenario names.
var (
	address  = regexp.MustCompile(`"10\.96\.\d+\.\d+"`)
	nodePort = regexp.MustCompile(`\b3\d{4}\b`)
	named    = []string{"30000", "30053", "30432"}
)

func short(field diff.Field, value any) string {
	switch {
	case value == nil:
		return "none"
	case value == diff.Unknown{}:
		return diff.Unknown{}.String()
	case field.Secret:
		return "secret"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	fixed := address.ReplaceAllString(string(text), `"an address"`)
	if strings.Contains(field.Path+fixed, "odePort") {
		fixed = nodePort.ReplaceAllStringFunc(fixed, func(port string) string {
			if slices.Contains(named, port) {
				return port
			}
			return "3xxxx"
		})
	}
	if runes := []rune(fixed); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return fixed
}

// ownCluster starts a cluster for one test: scenarios name node ports and default classes, of which a cluster has one each.
func ownCluster(t *testing.T) *testcluster.Cluster {
	t.Helper()
	testcluster.Need(t)
	cluster, err := testcluster.Start(t.Context(), testcluster.Options{StorageClass: "fast"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cluster
}
