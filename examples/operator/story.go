package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/render"
)

// story plays what the operator does on a test cluster, whose pods are simulated: the
// operator runs here, with the permissions of its chart. A step that does not end as it
// should is an error.
func story(ctx context.Context) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	key := engine.Key{Namespace: "fairlead-system", Name: "fairlead-operator"}
	if _, err := deploy(ctx, config, key, render.FromSet("watch=true")); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "operator-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := writeKubeconfig(ctx, config, key.Namespace, kubeconfig); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	operator := exec.CommandContext(ctx, self, "run", "-watch", "-workers=1", "-default-service-account=default", "-metrics-address=0", "-health-address=0")
	operator.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	if err := operator.Start(); err != nil {
		return err
	}
	defer func() { operator.Process.Kill(); operator.Wait() }()
	s := &script{Client: c, namespace: "shop"}
	s.create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}})
	s.create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "deployer"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: s.namespace, Name: "default"}},
	})
	s.play(ctx)
	return s.err
}

// script plays one step after the other, until one fails.
type script struct {
	client.Client
	namespace string
	err       error
}

func (s *script) play(ctx context.Context) {
	s.apply(ctx, "web", `{"replicas": 2}`)
	s.step(ctx, "web is deployed", s.phase("web", "Deployed"))

	web := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "web"}}
	s.do(s.Patch(ctx, web, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":7}}`)), client.FieldOwner("kubectl-edit")))
	s.step(ctx, "kubectl scales web to 7, and the operator back to 2", func(ctx context.Context) (string, error) {
		err := s.Get(ctx, client.ObjectKeyFromObject(web), web)
		return "", holdsIf(err, *web.Spec.Replicas == 2)
	})

	s.apply(ctx, "broken", `{"image": {"repository": "example.com/app", "tag": "crash-loop"}}`)
	s.step(ctx, "broken crashes", func(ctx context.Context) (string, error) {
		app, err := s.app(ctx, "broken")
		words := strings.Join(app.Status.Diagnosis, "\n")
		return strings.ReplaceAll(words, "\n", "\n         "), holdsIf(err, strings.Contains(words, "keeps crashing"))
	})
	s.apply(ctx, "front", `{}`, func(a *v1alpha1.ApplicationSpec) { a.DependsOn = []v1alpha1.Dependency{{Name: "back"}} })
	s.step(ctx, "front waits for back; broken does not hold the only worker", s.phase("front", "Pending"))
	s.apply(ctx, "back", `{}`)
	s.step(ctx, "back is deployed", s.phase("back", "Deployed"))
	s.step(ctx, "and then front", s.phase("front", "Deployed"))

	s.apply(ctx, "web", `{"replicas": 2, "image": {"tag": "1.30"}}`)
	s.step(ctx, "web is upgraded", s.revision("web", "Deployed", 3))
	s.apply(ctx, "web", `{"replicas": 2, "image": {"tag": "image-pull-error"}}`)
	s.step(ctx, "the next upgrade fails and is rolled back", s.revision("web", "Reverted", 5))
	s.do(holdsIf(s.Get(ctx, client.ObjectKeyFromObject(web), web), web.Spec.Template.Spec.Containers[0].Image == "nginxinc/nginx-unprivileged:1.30"))

	app, err := s.app(ctx, "web")
	if err == nil {
		err = s.Delete(ctx, app)
	}
	s.do(err)
	s.step(ctx, "web is uninstalled", func(ctx context.Context) (string, error) {
		gone := apierrors.IsNotFound(s.Get(ctx, client.ObjectKeyFromObject(app), app)) && apierrors.IsNotFound(s.Get(ctx, client.ObjectKeyFromObject(web), web))
		return "", holdsIf(nil, gone)
	})
}

var errNotYet = fmt.Errorf("not within a minute")

func holdsIf(err error, yes bool) error {
	if err == nil && !yes {
		return errNotYet
	}
	return err
}

func (s *script) do(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *script) create(ctx context.Context, o client.Object) {
	s.do(client.IgnoreAlreadyExists(s.Create(ctx, o)))
}

// step waits for what a step should lead to, and prints how long that took.
func (s *script) step(ctx context.Context, what string, check func(context.Context) (string, error)) {
	if s.err != nil {
		return
	}
	var text string
	last, began := error(nil), time.Now()
	err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		text, last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		s.err = fmt.Errorf("%s: %w: %w", what, err, last)
		return
	}
	fmt.Printf("%6.1fs  %s\n", time.Since(began).Seconds(), what)
	if text != "" {
		fmt.Printf("         %s\n", text)
	}
}

func (s *script) app(ctx context.Context, name string) (*v1alpha1.Application, error) {
	app := &v1alpha1.Application{}
	return app, s.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: name}, app)
}

func (s *script) apply(ctx context.Context, name, values string, change ...func(*v1alpha1.ApplicationSpec)) {
	if s.err != nil {
		return
	}
	app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: name}}
	_, err := ctrl.CreateOrUpdate(ctx, s.Client, app, func() error {
		app.Spec.Chart.BuiltIn, app.Spec.Values = "webapp", &apiextensionsv1.JSON{Raw: []byte(values)}
		app.Spec.Drift.Mode, app.Spec.OnFailure, app.Spec.Timeout = v1alpha1.DriftCorrect, v1alpha1.RollBack, &metav1.Duration{Duration: 20 * time.Second}
		for _, c := range change {
			c(&app.Spec)
		}
		return nil
	})
	s.do(err)
}

func (s *script) phase(name, phase string) func(context.Context) (string, error) {
	return s.revision(name, phase, 0)
}

// revision checks that an Application is in a phase, at a revision or a later one.
func (s *script) revision(name, phase string, least int) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		app, err := s.app(ctx, name)
		ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.Ready)
		ok := ready != nil && app.Status.ObservedGeneration == app.Generation && app.Status.Phase == phase && app.Status.Revision >= least && (phase != "Deployed" || ready.Status == "True")
		if err := holdsIf(err, ok); err != nil {
			return "", fmt.Errorf("%w: phase %s of revision %d: %v", err, app.Status.Phase, app.Status.Revision, ready)
		}
		return ready.Message, nil
	}
}

// writeKubeconfig writes a kubeconfig of the operator's ServiceAccount.
func writeKubeconfig(ctx context.Context, admin *rest.Config, namespace, path string) error {
	k, err := kubernetes.NewForConfig(admin)
	if err != nil {
		return err
	}
	token, err := k.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, "fairlead-operator", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	return clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: admin.Host, CertificateAuthority: admin.CAFile, CertificateAuthorityData: admin.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"operator": {Token: token.Status.Token}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "operator"}},
		CurrentContext: "test",
	}, path)
}
