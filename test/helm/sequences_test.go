package helm_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

// sequence is two deploys of a chart with something done by hand in between, and
// what the second chart asks for. NAME in a text is a name of its own.
type sequence struct {
	before, after string
	byHand        func(p *place) error // nil: nothing
	rollback      bool                 // to the first chart, instead of a third deploy
	fails         string               // deployed in between, and fails
	path          string               // of the object that is looked at
	want          func(o map[string]any) bool
	// The engine's documented way where it differs from Helm's.
	options engine.Options
	release func(*engine.Release)
	// afterHelm changes the release besides where Helm has installed it.
	afterHelm func(*engine.Release)
}

// patch changes an object by hand.
func patch(path string, kind types.PatchType, text string) func(*place) error {
	return func(p *place) error {
		return p.client.CoreV1().RESTClient().Patch(kind).AbsPath(p.name(path)).Param("fieldManager", "kubectl-edit").Body([]byte(text)).Do(p.ctx).Error()
	}
}

// toolTimeout bounds one tool's playing of a sequence, which takes seconds; the
// longest of its waits is for a quota, which the controller may leave uncounted
// for half a minute while it learns of new kinds.
const toolTimeout = 3 * time.Minute

// place is where one tool plays a sequence: a namespace, and a chart's folder.
type place struct {
	steps     []string // what took how long
	ctx       context.Context
	client    kubernetes.Interface
	dynamic   dynamic.Interface
	namespace string
	folder    string
}

// timed notes how long a step takes.
func (p *place) timed(step string, do func() error) error {
	begun := time.Now()
	err := do()
	p.steps = append(p.steps, fmt.Sprintf("%s took %v", step, time.Since(begun).Round(time.Millisecond)))
	return err
}

func (p *place) timing() string { return strings.Join(p.steps, ", ") }

func (p *place) name(text string) string { return strings.ReplaceAll(text, "NAME", p.namespace) }

func (p *place) create(r schema.GroupVersionResource, text string) error {
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		return err
	}
	_, err := p.dynamic.Resource(r).Namespace(p.namespace).Create(p.ctx, u, metav1.CreateOptions{})
	return err
}

func (p *place) write(manifest string) error {
	files := map[string]string{
		"Chart.yaml": "apiVersion: v2\nname: " + releaseName + "\nversion: 1.0.0\n", "templates/x.yaml": p.name(manifest),
	}
	for name, text := range files {
		if err := p.writeFile(name, text); err != nil {
			return err
		}
	}
	return nil
}

// live is an object at the end; nil if it does not exist.
func (p *place) live(path string) (map[string]any, error) {
	data, err := p.client.CoreV1().RESTClient().Get().AbsPath("/" + p.name(path)).DoRaw(p.ctx)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out map[string]any
	return out, json.Unmarshal(data, &out)
}

// tool is what deploys: Helm or the engine.
type tool struct {
	install, upgrade func() error
	rollback         func() error // to the first revision
}

// timedTool is t, noting how long its operations take.
func (p *place) timedTool(t tool) tool {
	return tool{
		install:  func() error { return p.timed("install", t.install) },
		upgrade:  func() error { return p.timed("upgrade", t.upgrade) },
		rollback: func() error { return p.timed("rollback", t.rollback) },
	}
}

// play plays the sequence, and returns the error of its last step.
func (s sequence) play(p *place, t tool) error {
	t = p.timedTool(t)
	if err := errors.Join(p.write(s.before), t.install()); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if s.rollback {
		if err := errors.Join(p.write(s.after), t.upgrade()); err != nil {
			return fmt.Errorf("upgrade: %w", err)
		}
	}
	if s.byHand != nil {
		if err := s.byHand(p); err != nil {
			return fmt.Errorf("by hand: %w", err)
		}
	}
	if s.rollback {
		return t.rollback()
	}
	if s.fails != "" {
		if err := errors.Join(p.write(s.fails), t.upgrade()); err == nil {
			return errors.New("what should fail did not")
		}
	}
	return errors.Join(p.write(s.after), t.upgrade())
}

// Sequences from public reports, each played by Helm 3, by the engine, and by the
// engine on what Helm has installed: where Helm ends in the state that the chart
// asks for, so does the engine, whoever has installed it.
func TestSequencesAsHelmEndsThem(t *testing.T) {
	testcluster.Need(t)
	cluster := testcluster.Shared(t)
	defining, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	things := defineThings(defining, t, cluster)
	var mu sync.Mutex
	var table []string
	t.Run("each", func(t *testing.T) {
		all := maps.Clone(sequences)
		maps.Copy(all, writerSequences)
		for name, s := range all {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				ends := map[string]bool{}
				texts := []string{fmt.Sprintf("%-45s", name)}
				for _, who := range []string{"Helm", "engine", "engine after Helm"} {
					// Each tool has its own time, so that none of them is cut off by another.
					ctx, cancel := context.WithTimeout(context.Background(), toolTimeout)
					t.Cleanup(cancel)
					p := &place{
						ctx: ctx, client: kubernetes.NewForConfigOrDie(cluster.Config()), dynamic: things, namespace: cluster.Namespace(t), folder: t.TempDir(),
					}
					played, undo, err := s.playedBy(p, who, cluster)
					if err != nil {
						t.Fatal(err)
					}
					if ctx.Err() != nil {
						t.Fatalf("%s has not played it within %v (%s): %v", who, toolTimeout, p.timing(), played)
					}
					o, err := p.live(s.path)
					if strings.Contains(s.before, "NAME") { // what is cluster-scoped; the rest goes with its namespace
						err = errors.Join(err, undo())
					}
					if err != nil {
						t.Fatal(err)
					}
					ends[who] = o != nil && s.want(o)
					text := fmt.Sprintf("%s: %v", who, ends[who])
					if played != nil {
						text += " (" + first(played.Error()) + ")"
					}
					texts = append(texts, text)
				}
				if ends["Helm"] && !ends["engine"] {
					t.Errorf("only Helm ends as the chart asks for: %s", strings.Join(texts, "; "))
				}
				if ends["engine"] && !ends["engine after Helm"] {
					t.Errorf("the engine does not end so what Helm has installed: %s", strings.Join(texts, "; "))
				}
				mu.Lock()
				defer mu.Unlock()
				table = append(table, strings.Join(texts, "; "))
			})
		}
	})
	slices.Sort(table)
	t.Log("ends as the chart asks for:\n" + strings.Join(table, "\n"))
}

func first(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return text[:min(len(text), 160)]
}

// playedBy plays the sequence by one tool. played is the error of the tool, and
// undo removes what it has left.
func (s sequence) playedBy(p *place, who string, cluster *testcluster.Cluster) (played error, undo func() error, err error) {
	if who == "Helm" {
		h, err := openHelm3(cluster.Kubeconfig, p.namespace)
		if err != nil {
			return nil, nil, err
		}
		return s.play(p, helmTool(p, h)), h.uninstall, nil
	}
	e, err := engine.New(cluster.Config(), s.options)
	if err != nil {
		return nil, nil, err
	}
	key := engine.Key{Namespace: p.namespace, Name: releaseName}
	change := s.release
	if who == "engine after Helm" && s.afterHelm != nil {
		change = s.afterHelm
	}
	tool := engineTool(p, e, change)
	if who == "engine after Helm" {
		h, err := openHelm3(cluster.Kubeconfig, p.namespace)
		if err != nil {
			return nil, nil, err
		}
		tool.install = helmTool(p, h).install
	}
	return s.play(p, tool), func() error { return e.Uninstall(p.ctx, key, engine.ApplyOptions{NoHooks: true}) }, nil
}

func helmTool(p *place, h helm) tool {
	return tool{
		install: func() error {
			err := h.install(p.ctx, p.folder, nil)
			// Helm waits for no quota to be counted that it has just created: what comes
			// after it is refused if the API server has seen it before the controller has.
			for p.ctx.Err() == nil && err != nil && strings.Contains(err.Error(), "status unknown for quota") {
				if err = p.quotasCounted(); err == nil {
					err = h.upgrade(p.ctx, p.folder, nil)
				}
			}
			return err
		},
		upgrade:  func() error { return h.upgrade(p.ctx, p.folder, nil) },
		rollback: func() error { return h.rollback(1) },
	}
}

// quotasCounted waits until the controller has counted what the quotas of the
// namespace limit.
func (p *place) quotasCounted() error {
	ctx, cancel := context.WithTimeout(p.ctx, hookTimeout)
	defer cancel()
	for {
		list, err := p.client.CoreV1().ResourceQuotas(p.namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return fmt.Errorf("wait for quotas to be counted: %w", err)
		}
		if !slices.ContainsFunc(list.Items, func(q corev1.ResourceQuota) bool { return len(q.Status.Used) < len(q.Spec.Hard) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("quotas are not counted within %v: %w", hookTimeout, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// engineTool deploys with the engine, without waiting, as Helm does; change is
// applied to the release unless it is nil.
func engineTool(p *place, e *engine.Engine, change func(*engine.Release)) tool {
	key, opts := engine.Key{Namespace: p.namespace, Name: releaseName}, engine.ApplyOptions{NoWait: true}
	deploy := func() error {
		c, err := render.LoadFS(os.DirFS(p.folder))
		if err != nil {
			return err
		}
		r := engine.Release{Key: key, Source: c}
		if change != nil {
			change(&r)
			opts.Force = r.Force
		}
		_, err = e.Deploy(p.ctx, r, opts)
		return err
	}
	return tool{install: deploy, upgrade: deploy, rollback: func() error {
		_, err := e.Rollback(p.ctx, key, 1, opts)
		return err
	}}
}

// defineThings creates the definition of a custom resource, and waits until it is
// served.
func defineThings(ctx context.Context, t *testing.T, cluster *testcluster.Cluster) dynamic.Interface {
	t.Helper()
	client := dynamic.NewForConfigOrDie(cluster.Config())
	crds := client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte("apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.sequences.example.com}\nspec: {group: sequences.example.com, scope: Namespaced, names: {plural: things, singular: thing, kind: Thing}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {maybe: {type: string, nullable: true}, list: {type: array, items: {type: string}}, automated: {type: object, properties: {prune: {type: boolean}}}}}}}}}]}\n"), &u.Object); err != nil {
		t.Fatal(err)
	}
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error { // that of a run before may still be on its way out
		_, err := crds.Create(ctx, u, metav1.CreateOptions{})
		return err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := crds.Delete(ctx, u.GetName(), metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	testcluster.Eventually(t, time.Minute, func(ctx context.Context) error {
		_, err := client.Resource(schema.GroupVersionResource{Group: "sequences.example.com", Version: "v1", Resource: "things"}).List(ctx, metav1.ListOptions{})
		return err
	})
	return client
}
