package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// A plan that is not for what the caller has named is refused before anything is
// read.
func TestAttackPlansForSomethingElse(t *testing.T) {
	f := newFixture(t)
	neighbour := f.neighbourOf()
	bank := engine.Key{Namespace: neighbour, Name: "bank"}
	plans := f.attackPlans()
	own := plans["upgrade"].opts.Release
	theirs := func(p *engine.Plan, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		_, text := f.store(p)
		return text
	}
	uninstallBank := theirs(f.engine.PlanUninstall(f.ctx, bank, engine.PlanOptions{}))
	correctBank := theirs(f.engine.PlanCorrection(f.ctx, bank, engine.PlanOptions{}))
	e, attempts := f.platform(engine.Options{})
	uninstalls := []engine.PlanKind{engine.PlanUninstall}
	type attack struct {
		text string
		opts engine.ApplyOptions
		want error
	}
	attacks := map[string]attack{
		"neighbour's uninstall for an upgrade":    {uninstallBank, engine.ApplyOptions{Release: own}, engine.ErrPlanRelease},
		"neighbour's uninstall for a rollback":    {uninstallBank, engine.ApplyOptions{Key: f.key}, engine.ErrPlanRelease},
		"neighbour's uninstall for an uninstall":  {uninstallBank, engine.ApplyOptions{Key: f.key, Kinds: uninstalls}, engine.ErrPlanRelease},
		"neighbour's correction for a correction": {correctBank, engine.ApplyOptions{Key: f.key}, engine.ErrPlanRelease},
		"own uninstall for an upgrade":            {plans["uninstall"].stored, engine.ApplyOptions{Release: own}, engine.ErrPlanKind},
		"own uninstall, only the key":             {plans["uninstall"].stored, engine.ApplyOptions{Key: f.key}, engine.ErrPlanKind},
		"own rollback for an upgrade":             {plans["rollback"].stored, engine.ApplyOptions{Release: own}, engine.ErrPlanKind},
		"own rollback for an uninstall":           {plans["rollback"].stored, engine.ApplyOptions{Key: f.key, Kinds: uninstalls}, engine.ErrPlanKind},
		"own rollback for a correction":           {plans["rollback"].stored, engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanCorrection}}, engine.ErrPlanKind},
		"own correction for an upgrade":           {plans["correction"].stored, engine.ApplyOptions{Release: own}, engine.ErrPlanKind},
		"own rollout for an upgrade":              {plans["rollout"].stored, engine.ApplyOptions{Release: own}, engine.ErrPlanKind},
		"own upgrade for a rollback":              {plans["upgrade"].stored, engine.ApplyOptions{Key: f.key}, engine.ErrPlanKind},
		"own upgrade, only the key":               {plans["upgrade"].stored, engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanUpgrade}}, engine.ErrSourceNeeded},
		"own upgrade for an install":              {plans["upgrade"].stored, engine.ApplyOptions{Release: own, Kinds: []engine.PlanKind{engine.PlanInstall}}, engine.ErrPlanKind},
		"no kind is accepted":                     {plans["rollback"].stored, engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{}}, engine.ErrPlanKind},
		"two releases are named":                  {plans["upgrade"].stored, engine.ApplyOptions{Release: own, Key: bank}, engine.ErrInvalidOptions},
		"a kind that is none":                     {plans["upgrade"].stored, engine.ApplyOptions{Release: own, Kinds: []engine.PlanKind{"All"}}, engine.ErrInvalidOptions},
		"own install of another namespace":        {plans["install"].stored, engine.ApplyOptions{Release: own}, engine.ErrPlanRelease},
	}
	for kind, plan := range plans {
		want := engine.ErrTargetNeeded
		if plan.opts.Release != nil {
			want = engine.ErrSourceNeeded
		}
		attacks["nothing is named for the "+kind] = attack{plan.stored, engine.ApplyOptions{}, want}
	}
	for name, a := range attacks {
		f.requests.Reset()
		err := f.applyText(e, a.text, a.opts)
		f.wantHarmless(name, err, attempts(), neighbour)
		if !errors.Is(err, a.want) {
			t.Errorf("%s: %v, want %v", name, err, a.want)
		}
		if requests := f.requests.Requests(); len(requests) > 0 {
			t.Errorf("%s: it was read %v first", name, requests)
		}
	}
}

// A plan is for one cluster, and for one namespace there.
func TestAttackPlansForAnotherCluster(t *testing.T) {
	f := newFixture(t)
	e, attempts := f.platform(engine.Options{})
	chart := f.chart(map[string]string{"a.yaml": manyFields})
	first, second := f.release(chart, "password="+attackFirst), f.release(chart, "password="+attackFirst)
	second.Namespace = f.cluster.Namespace(t)
	_, text := f.store(f.plan(first))
	_, other := f.store(f.plan(second))
	cluster := func(text string) any { return decodePlan(t, text)["cluster"] }
	for name, value := range map[string]any{
		"of another namespace":                       cluster(other),
		"of another namespace under this one's":      strings.Replace(cluster(other).(string), second.Namespace, f.namespace, 1),
		"of this namespace under another one's":      strings.Replace(cluster(text).(string), f.namespace, second.Namespace, 1),
		"of this namespace under that of all":        strings.Replace(cluster(text).(string), f.namespace, "kube-system", 1),
		"of a namespace that does not exist":         "none/sha256:" + strings.Repeat("0", 64),
		"of none":                                    nil,
		"with a digest of nothing":                   f.namespace + "/sha256:" + strings.Repeat("0", 64),
		"with the beginning of its digest":           cluster(text).(string)[:len(f.namespace)+20],
		"with the digest in capitals":                strings.ToUpper(cluster(text).(string)),
		"with a slash":                               "/",
		"of a namespace in a path":                   f.namespace + "/../" + cluster(text).(string),
		"of kube-system, which is not the plan's":    "kube-system/" + strings.Split(cluster(other).(string), "/")[1],
		"with a line break":                          cluster(text).(string) + "\n",
		"of the namespace alone":                     f.namespace,
		"of two":                                     cluster(text).(string) + "," + cluster(other).(string),
		"with a namespace that a path would lead to": "..%2fkube-system/x",
	} {
		doc := decodePlan(t, text)
		doc["cluster"] = value
		if value == nil {
			delete(doc, "cluster")
		}
		f.requests.Reset()
		err := f.applyText(e, mustJSON(doc), engine.ApplyOptions{Release: &first})
		f.wantHarmless(name, err, attempts(), second.Namespace)
		if !errors.Is(err, engine.ErrPlanCluster) {
			t.Errorf("%s: %v", name, err)
		}
		if n := f.requests.Count(func(testcluster.Request) bool { return true }); n > 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
	// What is in the plan's place now is another namespace of the name.
	namespaces := f.client.CoreV1().Namespaces()
	if err := namespaces.Delete(f.ctx, f.namespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	f.awaitNewNamespace()
	f.wantHarmless("a namespace that was created again", f.applyText(e, text, engine.ApplyOptions{Release: &first}), attempts(), second.Namespace)
	if err := f.applyText(e, text, engine.ApplyOptions{Release: &first}); !errors.Is(err, engine.ErrPlanCluster) {
		t.Errorf("a namespace that was created again: %v", err)
	}
}

// A plan is applied once, and not to what has become of the release since. Again
// it does nothing, whatever has been changed meanwhile.
func TestAttackReplays(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{"a.yaml": manyFields})
	green, red := f.release(chart, "password="+attackFirst), f.release(chart, "password="+attackFirst, "colour=red")
	stale := func(name, text string, opts engine.ApplyOptions) {
		t.Helper()
		e, attempts := f.platform(engine.Options{})
		f.requests.Reset()
		err := f.applyText(e, text, opts)
		f.wantHarmless(name, err, attempts(), "no-neighbour")
		var s *engine.StalePlanError
		if !errors.As(err, &s) {
			t.Errorf("%s: %v", name, err)
		}
	}
	apply := func(text string, opts engine.ApplyOptions) {
		t.Helper()
		if err := f.applyText(f.engine, text, opts); err != nil {
			t.Fatal(err)
		}
		f.edit("configmaps", "shop-config", engine.DefaultFieldManager, `{"data":{"other":"changed"}}`)
		e, attempts := f.platform(engine.Options{})
		err := f.applyText(e, text, opts)
		if tried := attempts(); err != nil || len(tried) > 0 {
			t.Errorf("the same plan twice: %v, tried %v", err, tried)
		}
		f.edit("configmaps", "shop-config", engine.DefaultFieldManager, `{"data":{"other":"same"}}`)
	}
	_, install := f.store(f.plan(green))
	apply(install, engine.ApplyOptions{Release: &green})
	_, upgrade := f.store(f.plan(red))
	apply(upgrade, engine.ApplyOptions{Release: &red})
	rollback, err := f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, back := f.store(rollback)
	apply(back, engine.ApplyOptions{Key: f.key})
	stale("the upgrade after a rollback", upgrade, engine.ApplyOptions{Release: &red})
	stale("the install after a rollback", install, engine.ApplyOptions{Release: &green})
	edited := decodePlan(t, upgrade)
	edited["from"], edited["to"] = json.Number("3"), json.Number("4")
	stale("the upgrade as one of the newest revision", mustJSON(edited), engine.ApplyOptions{Release: &red})
	uninstall, err := f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, gone := f.store(uninstall)
	f.deploy(red)
	removal := engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanUninstall}}
	stale("an uninstall after a deploy", gone, removal)
	if err := f.engine.Uninstall(f.ctx, f.key, engine.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	f.deploy(green) // revision 1 again
	stale("the upgrade of a release that was installed again", upgrade, engine.ApplyOptions{Release: &red})
	stale("the uninstall of one that was installed again", gone, removal)
	edited = decodePlan(t, gone)
	edited["from"] = json.Number("1")
	stale("the uninstall as one of the new release", mustJSON(edited), removal)
}

// A plan is what its engine would do, under its options: another one refuses it.
func TestAttackPlansOfOtherEngines(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{"a.yaml": manyFields})
	f.deploy(f.release(chart, "password="+attackFirst))
	f.edit("configmaps", "shop-config", "kubectl", `{"data":{"colour":"pink"}}`)
	r := f.release(chart, "password="+attackSecond, "colour=red")
	forced := r
	forced.Force = true
	key, otherKey := []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("o", 32))
	for name, a := range map[string]struct {
		planner, platform engine.Options
		plan              engine.Release
		opts              engine.ApplyOptions
	}{
		"with force, applied without":       {engine.Options{}, engine.Options{}, forced, engine.ApplyOptions{Release: &r}},
		"with a rule that takes":            {engine.Options{Ownership: []engine.Ownership{{Settle: engine.Take}}}, engine.Options{}, r, engine.ApplyOptions{Release: &r}},
		"with a rule that yields":           {engine.Options{Ownership: []engine.Ownership{{Settle: engine.Yield}}}, engine.Options{}, r, engine.ApplyOptions{Release: &r}},
		"that yields where this one takes":  {engine.Options{Ownership: []engine.Ownership{{Settle: engine.Yield}}}, engine.Options{Ownership: []engine.Ownership{{Settle: engine.Take}}}, r, engine.ApplyOptions{Release: &r}},
		"of another field manager":          {engine.Options{FieldManager: "other"}, engine.Options{}, forced, engine.ApplyOptions{Release: &forced}},
		"that is an apply set":              {engine.Options{ApplySet: true}, engine.Options{}, forced, engine.ApplyOptions{Release: &forced}},
		"that is none":                      {engine.Options{}, engine.Options{ApplySet: true}, forced, engine.ApplyOptions{Release: &forced}},
		"for which everything is allowed":   {engine.Options{}, engine.Options{Allow: func(engine.Access) error { return errors.New("no") }}, forced, engine.ApplyOptions{Release: &forced}},
		"under the caller's key":            {engine.Options{PlanKey: key}, engine.Options{}, forced, engine.ApplyOptions{Release: &forced}},
		"under the revision's key":          {engine.Options{}, engine.Options{PlanKey: key}, forced, engine.ApplyOptions{Release: &forced}},
		"under another key":                 {engine.Options{PlanKey: otherKey}, engine.Options{PlanKey: key}, forced, engine.ApplyOptions{Release: &forced}},
		"with hooks skipped and other text": {engine.Options{}, engine.Options{}, forced, engine.ApplyOptions{Release: &r, NoHooks: true}},
	} {
		planner, _ := f.platform(a.planner)
		p, err := planner.Plan(f.ctx, a.plan, engine.PlanOptions{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_, text := f.store(p)
		e, attempts := f.platform(a.platform)
		f.requests.Reset()
		f.wantHarmless(name, f.applyText(e, text, a.opts), attempts(), "no-neighbour")
	}
	// With the same key and options it is applied.
	planner, _ := f.platform(engine.Options{PlanKey: key})
	p, err := planner.Plan(f.ctx, forced, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, text := f.store(p)
	e, attempts := f.platform(engine.Options{PlanKey: key})
	if err := f.applyText(e, text, engine.ApplyOptions{Release: &forced}); len(attempts()) == 0 {
		t.Errorf("with the same key: %v", err)
	}
}

// A first install has no key. What it hides may be another value when it is
// applied, and nothing but a value.
func TestAttackHiddenInstalls(t *testing.T) {
	f := newFixture(t)
	const hidden = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: {{ .Values.token | quote }}}\n---\n"
	pod := func(field string) string {
		return hidden + "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: a, " + field + "}]}\n"
	}
	for name, text := range map[string]string{
		"an image":             hidden + "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: 'registry/{{ .Values.token }}'}]}\n",
		"a command":            pod("command: [sh, -c, 'echo {{ .Values.token }}']"),
		"an argument":          pod("args: ['{{ .Values.token }}']"),
		"a working directory":  pod("workingDir: '/{{ .Values.token }}'"),
		"a name of a variable": pod("env: [{name: '{{ .Values.token }}', value: x}], workingDir: '/{{ .Values.token }}'"),
		"a label":              hidden + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {a: '{{ .Values.token }}'}}\n",
		"a selector":           hidden + "apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {selector: {a: '{{ .Values.token }}'}, ports: [{port: 80}]}\n",
		"an external name":     hidden + "apiVersion: v1\nkind: Service\nmetadata: {name: c}\nspec: {type: ExternalName, externalName: '{{ .Values.token }}.example.com'}\n",
		"a rule":               hidden + "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\nrules: [{apiGroups: [''], resources: ['{{ .Values.token }}'], verbs: [get]}]\n",
		"a subject":            hidden + "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: r}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: r}\nsubjects: [{kind: ServiceAccount, name: '{{ .Values.token }}', namespace: x}, {kind: User, apiGroup: rbac.authorization.k8s.io, name: 'u-{{ .Values.token }}'}]\n",
		"a hook's command":     hidden + "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: pre-install}}\nspec: {restartPolicy: Never, containers: [{name: a, image: a, command: ['{{ .Values.token }}']}]}\n",
		"a test's image":       hidden + "apiVersion: v1\nkind: Pod\nmetadata: {name: h, annotations: {helm.sh/hook: test}}\nspec: {containers: [{name: a, image: 'registry/{{ .Values.token }}'}]}\n",
	} {
		chart := f.chart(map[string]string{"a.yaml": text})
		reviewed, evil := f.release(chart, "token=good-value"), f.release(chart, "token=evil-value")
		_, stored := f.store(f.plan(reviewed))
		e, attempts := f.platform(engine.Options{})
		for which, r := range map[string]*engine.Release{"another": &evil, "the same": &reviewed} {
			f.requests.Reset()
			err := f.applyText(e, stored, engine.ApplyOptions{Release: r})
			f.wantHarmless(name+", applied with "+which, err, attempts(), "no-neighbour")
			if !errors.Is(err, engine.ErrPlanDigest) && name != "a name of a variable" {
				t.Errorf("%s, applied with %s: %v", name, which, err)
			}
		}
	}
	const harmless = hidden + "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, annotations: {token: '{{ .Values.token }}'}}\ndata: {url: 'https://{{ .Values.token }}@example.com'}\n---\n" +
		"apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, image: a, env: [{name: TOKEN, value: '{{ .Values.token }}'}]}]}\n"
	chart := f.chart(map[string]string{"a.yaml": harmless})
	reviewed, other := f.release(chart, "token=good-value"), f.release(chart, "token=other-value")
	p := f.plan(reviewed)
	_, stored := f.store(p)
	e, attempts := f.platform(engine.Options{})
	if err := f.applyText(e, stored, engine.ApplyOptions{Release: &reviewed}); len(attempts()) == 0 {
		t.Errorf("values in the places of values: %v", err)
	}
	// With a key, other values are found there, too.
	key := []byte(strings.Repeat("k", 32))
	planner, _ := f.platform(engine.Options{PlanKey: key})
	p, err := planner.Plan(f.ctx, reviewed, engine.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, stored = f.store(p)
	e, attempts = f.platform(engine.Options{PlanKey: key})
	var stale *engine.StalePlanError
	if err := f.applyText(e, stored, engine.ApplyOptions{Release: &other}); !errors.As(err, &stale) || len(attempts()) > 0 {
		t.Errorf("other values under a key: %v", err)
	}
	if err := f.applyText(e, stored, engine.ApplyOptions{Release: &reviewed}); len(attempts()) == 0 {
		t.Errorf("the values that were planned: %v", err)
	}
}

// awaitNewNamespace waits until the fixture's namespace is gone, and creates it
// again.
func (f *fixture) awaitNewNamespace() {
	f.Helper()
	testcluster.Eventually(f.T, time.Minute, func(ctx context.Context) error {
		_, err := f.client.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace}}, metav1.CreateOptions{})
		return err
	})
}
