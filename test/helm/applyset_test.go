package helm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/kubectl/pkg/cmd/apply"
	cmdutil "k8s.io/kubectl/pkg/cmd/util"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

const numberedConfigs = `
{{- range $i := until (int .Values.n) }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: n-{{ $i }}}
{{- end }}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
`

// kubectl apply --prune --applyset recognizes a release as an ApplySet: with
// another tool's name it refuses to change it, and with the engine's name it
// prunes exactly the members that are no longer applied.
func TestKubectlRecognizesApplySets(t *testing.T) {
	testcluster.Need(t)
	t.Setenv("KUBECTL_APPLYSET", "true")
	cluster := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	namespace := cluster.Namespace(t)
	e, err := engine.New(cluster.Config(), engine.Options{ApplySet: true})
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(cluster.Config())
	release := func(n int) engine.Release {
		t.Helper()
		c, err := render.LoadFS(fstest.MapFS{
			"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: shop\nversion: 1.0.0\n")},
			"templates/a.yaml": {Data: []byte(numberedConfigs)},
		})
		if err != nil {
			t.Fatal(err)
		}
		values, err := render.MergeValues(render.FromMap("test", map[string]any{"n": n}))
		if err != nil {
			t.Fatal(err)
		}
		return engine.Release{Key: engine.Key{Namespace: namespace, Name: releaseName}, Source: c, Values: values}
	}
	deploy := func(n int) {
		t.Helper()
		if _, err := e.Deploy(ctx, release(n), engine.ApplyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// kubectl applies the chart rendered for n, with the name of a tool.
	kubectl := func(program string, n int, flags ...string) (string, error) {
		t.Helper()
		r := release(n)
		m, err := r.Source.Render(ctx, render.Input{Name: releaseName, Namespace: namespace, Values: r.Values})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "all.yaml")
		if err := os.WriteFile(file, []byte(m.Text()), 0o600); err != nil {
			t.Fatal(err)
		}
		flags = append(flags, "--filename="+file, "--server-side", "--force-conflicts", "--prune", "--applyset=configmaps/fairlead-shop")
		return kubectlApply(program, cluster.Kubeconfig, namespace, flags...)
	}
	wantConfigs := func(want ...string) {
		t.Helper()
		list, err := client.CoreV1().ConfigMaps(namespace).List(ctx, metav1.ListOptions{LabelSelector: "applyset.kubernetes.io/part-of"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range list.Items {
			got = append(got, m.Name)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("members are %v, want %v", got, want)
		}
	}

	deploy(3)
	if _, err := client.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "stranger"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, err := kubectl("kubectl", 2); err == nil || !strings.Contains(err.Error(), `managed by tooling "fairlead"`) {
		t.Errorf("kubectl apply returned %v, %s", err, out)
	}
	wantConfigs("n-0", "n-1", "n-2")
	out, err := kubectl("fairlead", 2, "--dry-run=server")
	if err != nil || strings.Count(out, "pruned") != 1 || !strings.Contains(out, "configmap/n-2 pruned (server dry run)") {
		t.Errorf("it would not prune exactly n-2: %v\n%s", err, out)
	}
	if out, err = kubectl("fairlead", 2); err != nil || strings.Count(out, "pruned") != 1 {
		t.Errorf("it did not prune exactly n-2: %v\n%s", err, out)
	}
	wantConfigs("n-0", "n-1")
	if _, err := client.CoreV1().ServiceAccounts(namespace).Get(ctx, "stranger", metav1.GetOptions{}); err != nil {
		t.Errorf("an object that is not a member: %v", err)
	}

	deploy(4) // the engine goes on from there
	wantConfigs("n-0", "n-1", "n-2", "n-3")
	if err := e.Uninstall(ctx, release(0).Key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	wantConfigs()
}

// kubectlApply runs kubectl's apply command with the name of a tool.
func kubectlApply(program, kubeconfig, namespace string, args ...string) (string, error) {
	var out, errs bytes.Buffer
	flags := apply.NewApplyFlags(genericiooptions.IOStreams{In: &bytes.Buffer{}, Out: &out, ErrOut: &errs})
	cmd := &cobra.Command{}
	flags.AddFlags(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return "", fmt.Errorf("parse the flags: %w", err)
	}
	o, err := flags.ToOptions(cmdutil.NewFactory(getter(kubeconfig, namespace)), cmd, program, nil)
	if err == nil {
		err = o.Validate()
	}
	if err == nil {
		err = o.Run()
	}
	return out.String() + errs.String(), err
}
