package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// story is a pipeline of three releases, whose programs are processes.
type story struct {
	*testing.T
	client    kubernetes.Interface
	config    *rest.Config
	namespace string // does not exist at first
	folder    string
	settings  string // chart
	key       string
	accounts  string // namespace of the ServiceAccounts
}

// account returns the kubeconfig of a new ServiceAccount with the verbs on
// everything in the cluster.
func (s *story) account(name string, verbs ...string) string {
	s.Helper()
	ctx := s.Context()
	_, err := s.client.CoreV1().ServiceAccounts(s.accounts).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	role := s.accounts + "-" + name
	_, err = s.client.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: role}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: verbs}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		background := context.Background() // that of the test has ended
		if err := errors.Join(
			s.client.RbacV1().ClusterRoleBindings().Delete(background, role, metav1.DeleteOptions{}),
			s.client.RbacV1().ClusterRoles().Delete(background, role, metav1.DeleteOptions{}),
		); err != nil {
			s.Error(err)
		}
	})
	_, err = s.client.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: s.accounts, Name: name}},
	}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	token, err := s.client.CoreV1().ServiceAccounts(s.accounts).CreateToken(ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		s.Fatal(err)
	}
	kubeconfig := clientcmdapi.NewConfig()
	kubeconfig.Clusters["test"] = &clientcmdapi.Cluster{Server: s.config.Host, CertificateAuthorityData: s.config.CAData, CertificateAuthority: s.config.CAFile}
	kubeconfig.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	kubeconfig.Contexts[name] = &clientcmdapi.Context{Cluster: "test", AuthInfo: name}
	kubeconfig.CurrentContext = name
	path := filepath.Join(s.folder, name+".kubeconfig")
	if err := clientcmd.WriteToFile(*kubeconfig, path); err != nil {
		s.Fatal(err)
	}
	return path
}

// command is one step of the pipeline for one release, as a process of its own.
func (s *story) command(step, kubeconfig, release string, args ...string) *exec.Cmd {
	folder := filepath.Join(s.folder, release)
	args = append([]string{
		step, "-kubeconfig", kubeconfig, "-namespace", s.namespace, "-name", release, "-create-namespace", "-plan-key", s.key,
		"-out", folder, "-in", filepath.Join(folder, "plan.json"), "-timeout", "2m",
	}, args...)
	if release == "settings" {
		args = append(args, "-chart", s.settings)
	}
	c := exec.CommandContext(s.Context(), os.Args[0], args...)
	c.Env = append(os.Environ(), asProgram+"=1")
	return c
}

// step runs one, and returns what it printed.
func (s *story) step(want int, step, kubeconfig, release string, args ...string) string {
	s.Helper()
	c := s.command(step, kubeconfig, release, args...)
	out, err := c.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.Fatal(err)
	}
	s.Logf("$ pipeline %s %s %s\n%s", step, release, strings.Join(args, " "), out)
	if got := c.ProcessState.ExitCode(); got != want {
		s.Fatalf("it ended with %d, want %d", got, want)
	}
	return string(out)
}

func (s *story) status(release string, revision int) string {
	secret, err := s.client.CoreV1().Secrets(s.namespace).Get(s.Context(), fmt.Sprintf("sh.helm.release.v1.%s.v%d", release, revision), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		s.Fatal(err)
	}
	return secret.Labels["status"]
}

// Who may only read plans three releases into a namespace that does not exist;
// who may write applies the plans that were stored. The job is killed while it
// waits for the second one, and run again. A drift afterwards makes a plan stale.
func TestPipeline(t *testing.T) {
	cluster := testcluster.Shared(t)
	s := &story{T: t, client: kubernetes.NewForConfigOrDie(cluster.Config()), config: cluster.Config(), accounts: cluster.Namespace(t), folder: t.TempDir()}
	s.namespace = s.accounts + "-shop"
	s.settings, s.key = filepath.Join(s.folder, "chart"), filepath.Join(s.folder, "key")
	if err := errors.Join(
		os.MkdirAll(filepath.Join(s.settings, "templates"), 0o755),
		os.WriteFile(filepath.Join(s.settings, "Chart.yaml"), []byte(chartYAML), 0o644),
		os.WriteFile(filepath.Join(s.settings, "templates", "all.yaml"), []byte(templates), 0o644),
		os.WriteFile(s.key, bytes.Repeat([]byte("k"), 32), 0o600),
	); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.client.CoreV1().Namespaces().Delete(context.Background(), s.namespace, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	planner := s.account("planner", "get", "list", "watch")
	deployer := s.account("deployer", "get", "list", "watch", "create", "update", "patch", "delete")

	// No node is labelled so yet: the second release does not become ready.
	releases := []struct {
		name string
		args []string
	}{
		{"settings", []string{"-set", "password=hunter-hunter"}},
		{"backend", []string{"-set", "image.repository=backend,image.tag=1.0", "-set", "nodeSelector.pipeline=" + s.namespace}},
		{"frontend", []string{"-set", "image.repository=frontend,image.tag=1.0"}},
	}
	for _, r := range releases {
		if err := os.MkdirAll(filepath.Join(s.folder, r.name), 0o755); err != nil {
			t.Fatal(err)
		}
		if out := s.step(exitChanges, "plan", planner, r.name, r.args...); !strings.Contains(out, "applying takes the permission to create namespaces") {
			t.Errorf("it does not say what applying takes:\n%s", out)
		}
		markdown, err := os.ReadFile(filepath.Join(s.folder, r.name, "plan.md"))
		if err != nil || bytes.Contains(markdown, []byte("hunter-hunter")) {
			t.Fatalf("%v:\n%s", err, markdown)
		}
		t.Logf("%s", markdown)
	}
	if out := s.step(exitProblem, "apply", planner, "settings", releases[0].args...); !strings.Contains(out, "create secrets in namespace "+s.namespace) {
		t.Errorf("the planner's apply does not say what it lacks:\n%s", out)
	}

	s.step(exitFine, "apply", deployer, "settings", releases[0].args...)
	killed := s.command("apply", deployer, "backend", releases[1].args...)
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := s.client.AppsV1().Deployments(s.namespace).Get(ctx, "backend", metav1.GetOptions{})
		return err
	})
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	t.Log("the job is killed, and run again")
	if got := s.status("backend", 1); got != "pending-install" {
		t.Fatalf("the killed job left revision 1 as %q", got)
	}
	node := s.node()
	s.label(node, `"`+s.namespace+`"`)
	t.Cleanup(func() { s.label(node, "null") })
	for _, r := range releases { // the first one is applied already
		s.step(exitFine, "apply", deployer, r.name, r.args...)
	}
	for release, revision := range map[string]int{"settings": 1, "backend": 2, "frontend": 1} {
		if got := s.status(release, revision); got != "deployed" {
			t.Errorf("revision %d of %s is %q", revision, release, got)
		}
	}

	update := append(releases[2].args, "-set", "image.tag=1.1")
	s.step(exitChanges, "plan", planner, "frontend", update...)
	if _, err := s.client.AppsV1().Deployments(s.namespace).Patch(t.Context(), "frontend", types.StrategicMergePatchType,
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"frontend:hotfix"}]}}}}`), metav1.PatchOptions{FieldManager: "fairlead"}); err != nil {
		t.Fatal(err)
	}
	if out := s.step(exitStale, "apply", deployer, "frontend", update...); !strings.Contains(out, "frontend:1.0 when it was computed and is frontend:hotfix now") {
		t.Errorf("it does not say what is stale:\n%s", out)
	}
}

// node is any node of the cluster.
func (s *story) node() string {
	s.Helper()
	nodes, err := s.client.CoreV1().Nodes().List(s.Context(), metav1.ListOptions{Limit: 1})
	if err != nil || len(nodes.Items) == 0 {
		s.Fatalf("no node: %v", err)
	}
	return nodes.Items[0].Name
}

// label sets the label that the second release waits for; null: removes it.
func (s *story) label(node, value string) {
	s.Helper()
	patch := `{"metadata":{"labels":{"pipeline":` + value + `}}}`
	if _, err := s.client.CoreV1().Nodes().Patch(context.Background(), node, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		s.Error(err)
	}
}
