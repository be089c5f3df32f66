package engine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/managedfields/managedfieldstest"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/merge"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

var update = flag.Bool("update", false, "rewrite the wanted verdicts of testdata/judge")

// TestJudge judges the scenarios of testdata/judge without a cluster. Each is a
// txtar of
//
//	premise.yaml            mode, adopt, force, dryRun, replace, ownership; may be missing
//	desired.yaml            what the release wants; may be missing
//	applied.yaml            what it applied last; may be missing
//	live apply MANAGER      the history of the live objects, in order, as
//	live update MANAGER     server-side applies and updates
//	refuse KIND/NAME        a metav1.Status that a dry-run of the object fails with
//	others.yaml             claims, pods, StorageClasses, ... that are listed
//	want                    the verdicts
//
// Dry-runs are done by apimachinery's own field manager.
func TestJudge(t *testing.T) {
	files, err := filepath.Glob("testdata/judge/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := readScenario(t, archive)
			verdicts, err := s.judge().all(t.Context())
			got := ""
			if err != nil {
				got = "error: " + err.Error() + "\n"
			}
			for _, v := range verdicts {
				got += describeVerdict(v)
			}
			compareWant(t, file, archive, got)
		})
	}
}

func compareWant(t *testing.T, file string, archive *txtar.Archive, got string) {
	t.Helper()
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == "want" })
	if *update {
		if i < 0 {
			archive.Files = append(archive.Files, txtar.File{Name: "want"})
			i = len(archive.Files) - 1
		}
		archive.Files[i].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if i < 0 {
		t.Fatalf("no want; verdicts are\n%s", got)
	}
	if want := string(archive.Files[i].Data); got != want {
		t.Errorf("verdicts are\n%s\nwant\n%s", got, want)
	}
}

func describeVerdict(v verdict) string {
	var b strings.Builder
	c := v.change
	if c.Action == "" {
		return "" // nothing to say
	}
	fmt.Fprintf(&b, "%s %s", c.Object, c.Action)
	if c.Reason != "" {
		fmt.Fprintf(&b, ": %s", c.Reason)
	}
	b.WriteString("\n")
	for _, f := range c.Fields {
		fmt.Fprintf(&b, "  %s %s: %v -> %v", f.Cause, f.Path, f.Live, f.Desired)
		if f.Immutable {
			b.WriteString(" (immutable)")
		}
		b.WriteString("\n")
	}
	for _, r := range v.related {
		fmt.Fprintf(&b, "  related %s %s: %s\n", r.Object, r.Action, r.Reason)
	}
	for _, p := range v.problems {
		fmt.Fprintf(&b, "  problem %s %v: %s\n", p.Kind, p.Fields, p.Message)
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", w)
	}
	for _, m := range v.missing {
		fmt.Fprintf(&b, "  missing: %s\n", m)
	}
	w := v.write
	for _, flag := range []struct {
		name string
		set  bool
	}{{"force", w.force}, {"takeOver", w.takeOver != nil}, {"awaitKind", w.awaitKind}, {"awaitSchema", w.awaitSchema}} {
		if flag.set {
			fmt.Fprintf(&b, "  write %s\n", flag.name)
		}
	}
	if w.replace != notReplaced {
		fmt.Fprintf(&b, "  write %s\n", map[replacement]string{replacedWithDependents: "replaced with dependents", replacedOrphaning: "replaced, orphaning"}[w.replace])
	}
	for _, g := range w.growth {
		fmt.Fprintf(&b, "  write grow %s to %s\n", g.claim.Name, &g.size)
	}
	return b.String()
}

// scenario is the cluster of a test, and the expected verdicts. It implements
// the judge's interfaces.
type scenario struct {
	t        *testing.T
	premise  premise
	objects  []*object
	live     map[diff.Object]*unstructured.Unstructured
	refusals map[string]error
	others   []unstructured.Unstructured
}

type scenarioPremise struct {
	Mode      string      `json:"mode"`
	Adopt     bool        `json:"adopt"`
	Force     bool        `json:"force"`
	DryRun    DryRun      `json:"dryRun"`
	Cause     string      `json:"cause"`
	CRDs      CRDPolicy   `json:"crds"`
	Ownership []Ownership `json:"ownership"`
	Replace   []Replace   `json:"replace"`
	Allow     []string    `json:"allow"` // kinds; empty: all
}

func readScenario(t *testing.T, archive *txtar.Archive) *scenario {
	s := &scenario{t: t, live: map[diff.Object]*unstructured.Unstructured{}, refusals: map[string]error{}}
	byID := map[diff.Object]*object{}
	var given scenarioPremise
	var desired, applied []unstructured.Unstructured
	for _, f := range archive.Files {
		words := strings.Fields(f.Name)
		switch {
		case f.Name == "premise.yaml":
			if err := yaml.UnmarshalStrict(f.Data, &given); err != nil {
				t.Fatal(err)
			}
		case f.Name == "desired.yaml":
			desired = objectsIn(t, f.Data)
		case f.Name == "applied.yaml":
			applied = objectsIn(t, f.Data)
		case f.Name == "others.yaml":
			s.others = objectsIn(t, f.Data)
		case words[0] == "live":
			for _, u := range objectsIn(t, f.Data) {
				s.write(words[1], words[2], &u)
			}
		case words[0] == "refuse":
			var status metav1.Status
			if err := yaml.UnmarshalStrict(f.Data, &status); err != nil {
				t.Fatal(err)
			}
			s.refusals[words[1]] = &apierrors.StatusError{ErrStatus: status}
		}
	}
	object := func(u *unstructured.Unstructured) *object {
		id := diff.ObjectOf(u)
		if byID[id] == nil {
			byID[id] = &object{location: location{target: target{id: id, mapping: mappingOf(u)}}, source: "templates/x.yaml"}
			s.objects = append(s.objects, byID[id])
			byID[id].live = s.live[id]
		}
		return byID[id]
	}
	for i := range desired {
		o := object(&desired[i])
		o.rendered, o.desired = &desired[i], marked(&desired[i])
	}
	for i := range applied {
		object(&applied[i]).base = marked(&applied[i])
	}
	s.premise = given.premise(t)
	return s
}

func (g scenarioPremise) premise(t *testing.T) premise {
	modes := map[string]mode{"": deploying, "rollback": rollingBack, "correct": correcting, "compare": comparing, "uninstall": uninstalling}
	m, ok := modes[g.Mode]
	if !ok {
		t.Fatalf("mode %q", g.Mode)
	}
	e := &Engine{opts: Options{FieldManager: DefaultFieldManager, FormerManagers: []string{"helm"}, Ownership: g.Ownership, Replace: g.Replace, CRDs: g.CRDs}}
	if len(g.Allow) > 0 {
		e.opts.Allow = func(a Access) error {
			if slices.Contains(g.Allow, a.Object.Kind) {
				return nil
			}
			return errors.New("its kind is not in the list")
		}
	}
	record := &storage.Record{}
	if m == uninstalling {
		record = nil
	}
	return e.premise(premise{
		key: testKey, mode: m, asking: asking{DryRun: g.DryRun}, cause: g.Cause,
		history: &history{last: &storage.Record{}, base: []*storage.Record{{}}}, record: record,
	}, Release{Adopt: g.Adopt, Force: g.Force})
}

var testKey = Key{Namespace: "shop", Name: "web"}

func (s *scenario) judge() *judge {
	r := reading{objects: s.objects, brings: broughtKinds{}, createdNamespaces: map[string]bool{}, redactor: redactorOf()}
	for _, o := range s.objects {
		if o.desired != nil && o.isDefinition() {
			for kind, k := range kindsDefinedBy(o.desired) {
				r.brings[kind] = k
			}
		}
	}
	j := &judge{
		premise: s.premise, reading: r, merger: noSchemas{}, dryRun: s, lister: s,
		concurrency: 1, classes: &storageClasses{}, planned: plannedResources(r), released: map[diff.Object]bool{},
		departing: departingOf(s.premise, r),
	}
	var err error
	if j.scalers, err = j.findScalers(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return j
}

// write changes a live object, as an apply or an update by a manager.
func (s *scenario) write(how, manager string, u *unstructured.Unstructured) {
	s.t.Helper()
	id := diff.ObjectOf(u)
	live := s.live[id]
	var out runtime.Object
	var err error
	if how == "apply" {
		out, err = fieldManager(u).Apply(orEmpty(live, u), u, manager, true)
	} else {
		out, err = fieldManager(u).Update(orEmpty(live, u), u, manager)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.live[id] = toUnstructured(s.t, out)
	s.live[id].SetUID(types.UID("uid-" + id.Name))
}

func fieldManager(u *unstructured.Unstructured) *managedfields.FieldManager {
	return managedfieldstest.NewFakeFieldManager(applyconfigurations.NewTypeConverter(scheme.Scheme), u.GroupVersionKind())
}

// orEmpty is a copy of the live object, or one that has only a kind.
func orEmpty(live, u *unstructured.Unstructured) *unstructured.Unstructured {
	if live != nil {
		return live.DeepCopy()
	}
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": u.GetAPIVersion(), "kind": u.GetKind()}}
}

func (s *scenario) dryRunApply(_ context.Context, t target, body *unstructured.Unstructured, force bool) (*unstructured.Unstructured, error) {
	if err := s.refusals[t.id.Kind+"/"+t.id.Name]; err != nil {
		return nil, err
	}
	out, err := fieldManager(body).Apply(orEmpty(s.live[t.id], body), body.DeepCopy(), DefaultFieldManager, force)
	if err != nil {
		return nil, err
	}
	return toUnstructured(s.t, out), nil
}

func (s *scenario) dryRunPatch(context.Context, target, []byte) (*unstructured.Unstructured, error) {
	return nil, errors.New("no merge is done here, so nothing is patched")
}

func (s *scenario) dryRunResize(_ context.Context, g claimGrowth) error {
	return s.refusals["PersistentVolumeClaim/"+g.claim.Name]
}

func (s *scenario) forgetDiscovery(context.Context) {}

func (s *scenario) autoscalers(_ context.Context, gvk schema.GroupVersionKind, namespace string) ([]unstructured.Unstructured, error) {
	var out []unstructured.Unstructured
	for _, u := range s.others {
		if u.GroupVersionKind().GroupKind() == gvk.GroupKind() && u.GetNamespace() == namespace {
			out = append(out, u)
		}
	}
	return out, nil
}

func listed[T any](s *scenario, kind string) (out []T, err error) {
	for _, u := range s.others {
		if u.GetKind() != kind {
			continue
		}
		var o T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &o); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func (s *scenario) claims(context.Context, string) ([]corev1.PersistentVolumeClaim, error) {
	return listed[corev1.PersistentVolumeClaim](s, "PersistentVolumeClaim")
}

func (s *scenario) pods(context.Context, string, string) ([]corev1.Pod, error) {
	return listed[corev1.Pod](s, "Pod")
}

func (s *scenario) storageClasses(context.Context) ([]storagev1.StorageClass, error) {
	return listed[storagev1.StorageClass](s, "StorageClass")
}

func (s *scenario) volumes(context.Context) ([]corev1.PersistentVolume, error) {
	return listed[corev1.PersistentVolume](s, "PersistentVolume")
}

func (s *scenario) customResources(_ context.Context, r schema.GroupVersionResource, _ metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	list := &unstructured.UnstructuredList{}
	for _, u := range s.others {
		if mappingOf(&u).Resource.GroupResource() == r.GroupResource() {
			list.Items = append(list.Items, u)
		}
	}
	return list, nil
}

func (s *scenario) metadata(_ context.Context, r schema.GroupVersionResource, namespace string, _ metav1.ListOptions) (*metav1.PartialObjectMetadataList, error) {
	list := &metav1.PartialObjectMetadataList{}
	for _, u := range s.others {
		if mappingOf(&u).Resource.GroupResource() == r.GroupResource() && (namespace == "" || u.GetNamespace() == namespace) {
			list.Items = append(list.Items, metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: u.GetNamespace(), Name: u.GetName(), OwnerReferences: u.GetOwnerReferences()}})
		}
	}
	return list, nil
}

func (s *scenario) namespacedKinds(context.Context) ([]cluster.Kind, []*cluster.UnavailableError, error) {
	var kinds []cluster.Kind
	for _, u := range s.others {
		if k := (cluster.Kind{Name: u.GetKind(), Resource: mappingOf(&u).Resource}); u.GetNamespace() != "" && !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	return kinds, nil, nil
}

// uninstalled: releases named "gone" are.
func (s *scenario) uninstalled(_ context.Context, k Key) (bool, error) { return k.Name == "gone", nil }

func (s *scenario) revision(context.Context, Key, int) (*storage.Record, error) { return nil, nil }

// noSchemas is an API server that publishes none, so that every question is
// asked by dry-run.
type noSchemas struct{}

func (noSchemas) Merge(_ context.Context, r merge.Request) (merge.Result, error) {
	return merge.Result{}, &merge.UndecidedError{GVK: r.Desired.GroupVersionKind(), Name: r.Desired.GetName(), Reason: merge.ErrNoSchema}
}

func (noSchemas) TakeOver(_ context.Context, live *unstructured.Unstructured, _ string, _ merge.Former) (*unstructured.Unstructured, error) {
	return live, nil
}

func (noSchemas) Lost(_ context.Context, live, _ *unstructured.Unstructured, _ string, _ []string) ([]merge.Lost, error) {
	return nil, &merge.UndecidedError{GVK: live.GroupVersionKind(), Reason: merge.ErrNoSchema}
}

func (noSchemas) Schema(_ context.Context, gvk schema.GroupVersionKind) (diff.Schema, error) {
	return nil, &merge.UndecidedError{GVK: gvk, Reason: merge.ErrNoSchema}
}

func (noSchemas) Forget(schema.GroupVersion) {}

func objectsIn(t *testing.T, data []byte) []unstructured.Unstructured {
	t.Helper()
	objects, err := parseManifest(string(data))
	if err != nil {
		t.Fatal(err)
	}
	var out []unstructured.Unstructured
	for _, o := range objects {
		if mappingOf(o.Unstructured).Scope == meta.RESTScopeNamespace && o.GetNamespace() == "" {
			o.SetNamespace(testKey.Namespace)
		}
		out = append(out, *o.Unstructured)
	}
	return out
}

func marked(u *unstructured.Unstructured) *unstructured.Unstructured {
	return withMetadata(u, func(m map[string]any) { mark(m, testKey) })
}

func mappingOf(u *unstructured.Unstructured) *meta.RESTMapping {
	gvk := u.GroupVersionKind()
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	scope := meta.RESTScopeNamespace
	if slices.Contains([]string{"Namespace", "StorageClass", "PersistentVolume", "CustomResourceDefinition", "ClusterRole", "PriorityClass"}, gvk.Kind) {
		scope = meta.RESTScopeRoot
	}
	return &meta.RESTMapping{Resource: plural, GroupVersionKind: gvk, Scope: scope}
}

func toUnstructured(t *testing.T, o runtime.Object) *unstructured.Unstructured {
	t.Helper()
	m, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: m}
}
