package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// asProgram makes the test binary run the program, so that each step is a
// separate process.
const asProgram = "FAIRLEAD_EXAMPLE_PIPELINE"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testcluster.Main(m)
}

const chartYAML = "apiVersion: v2\nname: shop\nversion: 1.0.0\n"

const templates = `
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {colour: {{ .Values.colour | default "green" }}, size: "1"}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {password: {{ .Values.password }}}
`

func TestPlanAndApplyInSeparateProcesses(t *testing.T) {
	cluster := testcluster.Shared(t)
	namespace, folder := cluster.Namespace(t), t.TempDir()
	client := kubernetes.NewForConfigOrDie(cluster.Config())
	if err := errors.Join(
		os.MkdirAll(filepath.Join(folder, "chart", "templates"), 0o755),
		os.WriteFile(filepath.Join(folder, "chart", "Chart.yaml"), []byte(chartYAML), 0o644),
		os.WriteFile(filepath.Join(folder, "chart", "templates", "all.yaml"), []byte(templates), 0o644),
		os.CopyFS(filepath.Join(folder, "other"), os.DirFS(filepath.Join(folder, "chart"))),
		os.WriteFile(filepath.Join(folder, "other", "templates", "all.yaml"), []byte(strings.ReplaceAll(templates, "name: shop", "name: other")), 0o644),
	); err != nil {
		t.Fatal(err)
	}
	step := func(want int, contains string, args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), os.Args[0], append([]string{args[0],
			"-kubeconfig", cluster.Kubeconfig, "-namespace", namespace, "-name", "shop", "-chart", filepath.Join(folder, "chart"),
			"-set", "password=hunter-hunter", "-out", folder, "-in", filepath.Join(folder, "plan.json"),
		}, args[1:]...)...)
		command.Env = append(os.Environ(), asProgram+"=1")
		out, err := command.CombinedOutput()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		if got := command.ProcessState.ExitCode(); got != want || !strings.Contains(string(out), contains) {
			t.Fatalf("%v ended with %d, want %d with %q:\n%s", args, got, want, contains, out)
		}
	}
	edit := func(manager, patch string) {
		t.Helper()
		if _, err := client.CoreV1().ConfigMaps(namespace).Patch(t.Context(), "shop", types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: manager}); err != nil {
			t.Fatal(err)
		}
	}

	step(exitChanges, "2 to create", "plan")
	for name, contains := range map[string]string{"plan.md": "**2 to create**", "plan.json": `"schema": "fairlead.dev/plan/v1"`} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !bytes.Contains(text, []byte(contains)) || bytes.Contains(text, []byte("hunter-hunter")) {
			t.Errorf("%s, %v:\n%s", name, err, text)
		}
	}
	step(exitFine, "revision 1 is deployed", "apply")
	step(exitFine, "revision 1 is deployed", "apply") // which writes nothing
	step(exitFine, "no changes", "plan")
	step(exitFine, "revision 1 is deployed", "apply")

	step(exitChanges, "1 to update (colour)", "plan", "-set", "colour=red")
	edit("other", `{"metadata":{"labels":{"unrelated":"label"}}}`)
	step(exitStale, "values was as planned", "apply", "-set", "colour=blue")
	step(exitFine, "revision 2 is deployed", "apply", "-set", "colour=red")

	step(exitChanges, "1 to update (colour)", "plan", "-set", "colour=white")
	edit("fairlead", `{"data":{"colour":"grey"}}`)
	step(exitStale, "data.colour was red when it was computed and is grey now", "apply", "-set", "colour=white")

	edit("other", `{"data":{"size":"2"}}`)
	step(exitProblem, "other own", "plan", "-set", "colour=white")
	step(exitProblem, "other own", "apply", "-set", "colour=white")
	step(exitChanges, "2 to update", "plan", "-set", "colour=white", "-set", "password=other-password", "-force")
	step(exitFine, "revision 3 is deployed", "apply", "-set", "colour=white", "-set", "password=other-password", "-force")
	step(exitError, "invalid release key", "plan", "-name", "Shop")

	// Both steps have the same key, or the plan is not applied.
	key := filepath.Join(folder, "key")
	if err := os.WriteFile(key, bytes.Repeat([]byte("k"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	step(exitChanges, "2 to create", "plan", "-name", "other", "-chart", filepath.Join(folder, "other"), "-plan-key", key)
	step(exitError, "digests cannot be checked", "apply", "-name", "other", "-chart", filepath.Join(folder, "other"))
	step(exitError, "another release", "apply", "-name", "another", "-chart", filepath.Join(folder, "other"), "-plan-key", key)
	step(exitStale, "values was as planned", "apply", "-name", "other", "-chart", filepath.Join(folder, "other"), "-plan-key", key, "-set", "password=other-password")
	step(exitFine, "revision 1 is deployed", "apply", "-name", "other", "-chart", filepath.Join(folder, "other"), "-plan-key", key)
}
