package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// asOperator makes this program the operator, with these flags.
const asOperator = "FAIRLEAD_TEST_OPERATOR"

func TestMain(m *testing.M) {
	if args, ok := os.LookupEnv(asOperator); ok {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		err := run(ctx, strings.Split(args, "\n"))
		stop()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	testcluster.Main(m)
}

// within is how long the tests wait for what takes a second or two on a quiet machine.
const within = 2 * time.Minute

// home is the namespace of the operator, whose chart is installed once.
const home = "fairlead-system"

var installed struct {
	sync.Mutex
	done bool
}

// installOnce installs the operator's chart, by its own command.
func installOnce(t *testing.T, cluster *testcluster.Cluster) {
	t.Helper()
	installed.Lock()
	defer installed.Unlock()
	if installed.done {
		return
	}
	if _, err := deploy(t.Context(), cluster.Config(), engine.Key{Namespace: home, Name: "fairlead-operator"}, render.FromSet("watch=true")); err != nil {
		t.Fatal(err)
	}
	installed.done = true
}

// fixture is a namespace with a ServiceAccount that may do everything in it, and a
// shard of operators of its own.
type fixture struct {
	*testing.T
	cluster   *testcluster.Cluster
	client    client.Client
	namespace string
	engine    *engine.Engine
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	cluster := testcluster.Shared(t)
	installOnce(t, cluster)
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(cluster.Config(), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	eng, err := engine.New(cluster.Config(), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, cluster: cluster, client: c, namespace: cluster.Namespace(t), engine: eng}
	t.Cleanup(f.removeAll)
	f.grant("default")
	return f
}

// grant lets a ServiceAccount do everything in the namespace.
func (f *fixture) grant(account string) {
	f.Helper()
	f.create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: f.namespace, Name: account}},
	})
}

// revoke takes that permission away.
func (f *fixture) revoke(account string) {
	f.Helper()
	if err := f.client.Delete(f.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: account}}); err != nil {
		f.Fatal(err)
	}
}

// removeAll lets the Applications go, so that their namespace does, too.
func (f *fixture) removeAll() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var all v1alpha1.ApplicationList
	if err := f.client.List(ctx, &all, client.InNamespace(f.namespace)); err != nil {
		f.Log(err)
	}
	for _, app := range all.Items {
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		if err := f.client.Patch(ctx, &app, patch); err != nil && !apierrors.IsNotFound(err) {
			f.Log(err)
		}
	}
}

func (f *fixture) create(o client.Object) {
	f.Helper()
	if err := f.client.Create(f.Context(), o); err != nil {
		f.Fatal(err)
	}
}

// application creates an Application of the built-in chart webapp, of this test's
// shard.
func (f *fixture) application(name, values string, change ...func(*v1alpha1.ApplicationSpec)) {
	f.Helper()
	app := &v1alpha1.Application{
		ObjectMeta: metav1.ObjectMeta{Namespace: f.namespace, Name: name, Labels: map[string]string{"test": f.namespace}},
		Spec: v1alpha1.ApplicationSpec{
			Chart: v1alpha1.ChartSource{BuiltIn: "webapp"}, Values: &apiextensionsv1.JSON{Raw: []byte(values)},
		},
	}
	for _, c := range change {
		c(&app.Spec)
	}
	f.create(app)
}

// change edits the spec of an Application.
func (f *fixture) change(name string, change func(*v1alpha1.ApplicationSpec)) {
	f.Helper()
	testcluster.Eventually(f.T, within, func(ctx context.Context) error {
		app := &v1alpha1.Application{}
		if err := f.client.Get(ctx, f.key(name), app); err != nil {
			return err
		}
		change(&app.Spec)
		return f.client.Update(ctx, app)
	})
}

func values(text string) func(*v1alpha1.ApplicationSpec) {
	return func(s *v1alpha1.ApplicationSpec) { s.Values = &apiextensionsv1.JSON{Raw: []byte(text)} }
}

func (f *fixture) key(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: f.namespace, Name: name}
}

// is waits until an Application satisfies a check, and returns it.
func (f *fixture) is(name string, check func(*v1alpha1.Application) bool) *v1alpha1.Application {
	f.Helper()
	var app v1alpha1.Application
	testcluster.Eventually(f.T, within, func(ctx context.Context) error {
		if err := f.client.Get(ctx, f.key(name), &app); err != nil {
			return err
		}
		if app.Status.ObservedGeneration != app.Generation || !check(&app) {
			text, _ := json.MarshalIndent(app.Status, "", " ")
			return fmt.Errorf("generation %d: %s", app.Generation, text)
		}
		return nil
	})
	return &app
}

func ready(app *v1alpha1.Application) bool {
	return meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.Ready)
}

// because is a check that the condition Ready is not true for a reason.
func because(reason string) func(*v1alpha1.Application) bool {
	return func(app *v1alpha1.Application) bool {
		c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.Ready)
		return c != nil && c.Status != metav1.ConditionTrue && c.Reason == reason
	}
}

func (f *fixture) deployment(name string) *appsv1.Deployment {
	f.Helper()
	d := &appsv1.Deployment{}
	if err := f.client.Get(f.Context(), f.key(name), d); err != nil {
		f.Fatal(err)
	}
	return d
}

// patch changes an object under the name of a field manager.
func (f *fixture) patch(o client.Object, manager, patch string) {
	f.Helper()
	if err := f.client.Patch(f.Context(), o, client.RawPatch("application/merge-patch+json", []byte(patch)), client.FieldOwner(manager)); err != nil {
		f.Fatal(err)
	}
}

// event waits for an event about an Application.
func (f *fixture) event(name, reason, note string) {
	f.Helper()
	testcluster.Eventually(f.T, within, func(ctx context.Context) error {
		var events eventsv1.EventList
		if err := f.client.List(ctx, &events, client.InNamespace(f.namespace)); err != nil {
			return err
		}
		var others []string
		for _, e := range events.Items {
			if e.Regarding.Kind != "Application" || e.Regarding.Name != name {
				continue
			}
			if e.Reason == reason && strings.Contains(e.Note, note) {
				return nil
			}
			others = append(others, e.Reason+": "+e.Note)
		}
		return fmt.Errorf("no event %s of %s with %q, but %q", reason, name, note, others)
	})
}

// gone waits until an object is.
func (f *fixture) gone(o client.Object) {
	f.Helper()
	testcluster.Eventually(f.T, within, func(ctx context.Context) error {
		err := f.client.Get(ctx, client.ObjectKeyFromObject(o), o)
		if err == nil {
			return fmt.Errorf("%s exists: deleted at %v, finalizers %v", o.GetName(), o.GetDeletionTimestamp(), o.GetFinalizers())
		}
		return client.IgnoreNotFound(err)
	})
}

// history are the revisions of a release, as "1 superseded".
func (f *fixture) history(name string) []string {
	f.Helper()
	revisions, err := f.engine.History(f.Context(), engine.Key{Namespace: f.namespace, Name: name})
	if err != nil && !errors.Is(err, engine.ErrReleaseNotFound) {
		f.Fatal(err)
	}
	var out []string
	for _, r := range revisions {
		out = append(out, fmt.Sprintf("%d %s", r.Revision, r.Status))
	}
	return out
}

// operator is a process of the operator, with the permissions of its chart.
type operator struct {
	cmd    *exec.Cmd
	log    bytes.Buffer
	ended  chan struct{}
	health string
}

// operate starts an operator for the Applications of this test. It is killed at the end
// of the test.
func (f *fixture) operate(args ...string) *operator {
	f.Helper()
	o := &operator{ended: make(chan struct{}), health: freeAddress(f.T)}
	o.cmd = exec.Command(os.Args[0])
	args = append([]string{
		"run", "-selector", "test=" + f.namespace, "-default-service-account", "default", "-resync", "1s",
		"-metrics-address", "0", "-health-address", o.health, "-leader-elect-namespace", home,
	}, args...)
	o.cmd.Env = append(os.Environ(), asOperator+"="+strings.Join(args, "\n"), "KUBECONFIG="+f.kubeconfig())
	o.cmd.Stderr = &o.log
	if err := o.cmd.Start(); err != nil {
		f.Fatal(err)
	}
	go func() { o.cmd.Wait(); close(o.ended) }()
	f.Cleanup(func() {
		o.cmd.Process.Kill()
		<-o.ended
		if f.Failed() {
			f.Logf("the operator %v:\n%s", args, o.log.String())
		}
	})
	return o
}

// freeAddress is an address that another process can listen on. Its port is none of
// those that connections of other tests are given meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(12_000))); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// kubeconfig writes a kubeconfig of the operator's ServiceAccount.
func (f *fixture) kubeconfig() string {
	f.Helper()
	path := filepath.Join(f.TempDir(), "kubeconfig")
	if err := writeKubeconfig(f.Context(), f.cluster.Config(), home, path); err != nil {
		f.Fatal(err)
	}
	return path
}
