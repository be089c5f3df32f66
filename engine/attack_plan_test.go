package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// allAttacks names the environment variable that makes each attack on a plan on
// plans of all kinds.
const allAttacks = "FAIRLEAD_ATTACK_ALL"

// attackChart has all that a plan shows: a Secret, a deprecated kind, a hook
// that runs and one that is only recorded.
var attackChart = map[string]string{
	"a.yaml": manyFields,
	"d.yaml": deployment,
	"e.yaml": "apiVersion: v1\nkind: Endpoints\nmetadata: {name: web, annotations: {colour: {{ .Values.colour | default \"green\" | quote }}}}\n",
	"h.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: 'pre-install,pre-upgrade,pre-rollback'}}\ndata: {colour: {{ .Values.colour | default \"green\" | quote }}}\n---\n" +
		"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: test, annotations: {helm.sh/hook: test}}\ndata: {colour: {{ .Values.colour | default \"green\" | quote }}}\n",
}

const (
	attackFirst, attackSecond = "first-password", "second-password"
	attackLoot                = "canary-Attack-31"
)

// attackPlan is a plan of the tenant, as it was reviewed, and how the platform
// applies it.
type attackPlan struct {
	stored string
	opts   engine.ApplyOptions
}

// attackPlans are plans of all kinds for the state that the release is in. None
// of them is applied by an attack, so that all have the same state.
func (f *fixture) attackPlans() map[string]attackPlan {
	f.Helper()
	chart := f.chart(attackChart)
	f.deploy(f.release(chart, "password="+attackFirst))
	f.deploy(f.release(chart, "password="+attackFirst, "colour=blue"))
	f.edit("configmaps", "shop-config", "kubectl", `{"data":{"other":"drifted"}}`)
	upgrade := f.release(chart, "password="+attackSecond, "colour=red")
	upgrade.Force = true
	install := f.release(chart, "password="+attackFirst, "colour=red")
	install.Namespace, install.CreateNamespace = f.namespace+"-new", true
	store := func(p *engine.Plan, err error) string {
		f.Helper()
		if err != nil || p.Err() != nil {
			f.Fatal(err, p.Err())
		}
		_, text := f.store(p)
		validPlan(f.T, text)
		return text
	}
	return map[string]attackPlan{
		"upgrade":    {store(f.engine.Plan(f.ctx, upgrade, engine.PlanOptions{})), engine.ApplyOptions{Release: &upgrade}},
		"install":    {store(f.engine.Plan(f.ctx, install, engine.PlanOptions{})), engine.ApplyOptions{Release: &install}},
		"local":      {store(f.engine.Plan(f.ctx, upgrade, engine.PlanOptions{DryRun: engine.DryRunNone})), engine.ApplyOptions{Release: &upgrade}},
		"rollback":   {store(f.engine.PlanRollback(f.ctx, f.key, 1, engine.PlanOptions{Force: true})), engine.ApplyOptions{Key: f.key, Force: true}},
		"correction": {store(f.engine.PlanCorrection(f.ctx, f.key, engine.PlanOptions{})), engine.ApplyOptions{Key: f.key}},
		"rollout":    {store(f.engine.PlanRollout(f.ctx, f.key, engine.Rollout{Verb: engine.Scale, Replicas: 3}, engine.PlanOptions{})), engine.ApplyOptions{Key: f.key}},
		"uninstall":  {store(f.engine.PlanUninstall(f.ctx, f.key, engine.PlanOptions{})), engine.ApplyOptions{Key: f.key, Kinds: []engine.PlanKind{engine.PlanUninstall}}},
	}
}

// planEdit changes the JSON of a plan; it reports whether there was anything to
// change.
type planEdit func(doc map[string]any) bool

// find returns the value at a path such as "report.changes.*.action", and what
// it is in.
func findIn(doc any, path string) (in any, last string, ok bool) {
	parts := strings.Split(path, ".")
	for i, part := range parts {
		if i == len(parts)-1 {
			return doc, part, true
		}
		switch v := doc.(type) {
		case map[string]any:
			doc, ok = v[part]
		case []any:
			n, err := strconv.Atoi(part)
			if part == "*" {
				n, err = firstChanged(v), nil
			}
			if ok = err == nil && n < len(v); ok {
				doc = v[n]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, "", false
		}
	}
	return nil, "", false
}

// firstChanged is the index of the first change that is written.
func firstChanged(changes []any) int {
	for i, c := range changes {
		if m, ok := c.(map[string]any); ok && m["action"] != "Unchanged" && m["action"] != "Kept" {
			return i
		}
	}
	return len(changes)
}

func valueIn(doc any, path string) (any, bool) {
	in, last, ok := findIn(doc, path+".x")
	return in, ok && last == "x"
}

// set sets what is at a path, whose parent must exist.
func set(path string, value any) planEdit {
	return func(doc map[string]any) bool {
		in, last, ok := findIn(doc, path)
		switch v := in.(type) {
		case map[string]any:
			v[last] = value
		case []any:
			n, err := strconv.Atoi(last)
			if ok = err == nil && n < len(v); ok {
				v[n] = value
			}
		default:
			return false
		}
		return ok
	}
}

func drop(paths ...string) planEdit {
	return func(doc map[string]any) bool {
		found := false
		for _, path := range paths {
			in, last, ok := findIn(doc, path)
			if !ok {
				continue
			}
			switch v := in.(type) {
			case map[string]any:
				_, has := v[last]
				found = found || has
				delete(v, last)
			case []any:
				if n, err := strconv.Atoi(last); err == nil && n < len(v) {
					parent := path[:strings.LastIndexByte(path, '.')]
					found = set(parent, slices.Delete(slices.Clone(v), n, n+1))(doc)
				}
			}
		}
		return found
	}
}

// change applies a function to the list at a path, unless that changes nothing.
func list(path string, change func([]any) []any) planEdit {
	return func(doc map[string]any) bool {
		v, _ := valueIn(doc, path)
		items, ok := v.([]any)
		if !ok || len(items) == 0 {
			return false
		}
		return set(path, change(slices.Clone(items)))(doc)
	}
}

func again(path string, times int) planEdit {
	return list(path, func(items []any) []any {
		for range times {
			items = append(items, items[0])
		}
		return items
	})
}

func add(path string, item string) planEdit {
	var v any
	if err := json.Unmarshal([]byte(item), &v); err != nil {
		panic(err)
	}
	return func(doc map[string]any) bool {
		items, _ := valueIn(doc, path)
		have, _ := items.([]any)
		return set(path, append(slices.Clone(have), v))(doc)
	}
}

func reversed(path string) planEdit {
	return list(path, func(items []any) []any {
		if len(items) > 1 {
			slices.Reverse(items)
		}
		return items
	})
}

func both(edits ...planEdit) planEdit {
	return func(doc map[string]any) bool {
		found := false
		for _, e := range edits {
			found = e(doc) || found
		}
		return found
	}
}

// each applies an edit to every item of a list.
func each(path string, edit planEdit) planEdit {
	return func(doc map[string]any) bool {
		v, _ := valueIn(doc, path)
		items, _ := v.([]any)
		found := false
		for _, item := range items {
			if m, ok := item.(map[string]any); ok {
				found = edit(m) || found
			}
		}
		return found
	}
}

const digestOfNothing = "hmac-sha256:0000000000000000000000000000000000000000000000000000000000000000"

// attackEdits are edits of a plan, each of which is refused for every plan that
// it changes. NEIGHBOUR is the namespace of another tenant.
var attackEdits = map[string]planEdit{
	"kind: Install":                        set("kind", "Install"),
	"kind: Upgrade":                        set("kind", "Upgrade"),
	"kind: Rollback":                       set("kind", "Rollback"),
	"kind: Uninstall":                      set("kind", "Uninstall"),
	"kind: Correction":                     set("kind", "Correction"),
	"kind: Rollout":                        set("kind", "Rollout"),
	"kind: Rollout with a rollout":         both(set("kind", "Rollout"), set("rollout", map[string]any{"verb": "scale", "replicas": 0})),
	"kind: none":                           drop("kind"),
	"kind: in another case":                set("kind", "uNINSTALL"),
	"key: another name":                    set("release.name", "bank"),
	"key: another namespace":               set("release.namespace", "NEIGHBOUR"),
	"key: another release":                 both(set("release.namespace", "NEIGHBOUR"), set("release.name", "bank")),
	"key: with a line break":               set("release.name", "shop\n"),
	"key: none":                            drop("release"),
	"key: no name":                         drop("release.name"),
	"cluster: another":                     set("cluster", "NEIGHBOUR/sha256:0000000000000000000000000000000000000000000000000000000000000000"),
	"cluster: another UID":                 set("cluster", "OWN/sha256:0000000000000000000000000000000000000000000000000000000000000000"),
	"cluster: kube-system of another":      set("cluster", "kube-system/sha256:0000000000000000000000000000000000000000000000000000000000000000"),
	"cluster: no UID":                      set("cluster", "OWN/"),
	"cluster: a path":                      set("cluster", "../kube-system/sha256:00"),
	"revision: built on another":           set("from", 99),
	"revision: built on none":              both(drop("from"), set("from", -1)),
	"revision: records another":            set("to", 99),
	"revision: records none":               drop("to"),
	"revision: goes back to another":       set("target", 2),
	"revision: goes back to the newest":    set("target", 99),
	"revision: as a text":                  set("from", "1"),
	"revision: as a fraction":              set("from", 1.5),
	"revision: beyond all":                 set("from", json.Number("9999999999999999999999")),
	"rollout: added":                       set("rollout", map[string]any{"verb": "pause"}),
	"chart: another":                       set("chart", "bank-9.9.9"),
	"nonce: none":                          drop("nonce"),
	"nonce: empty":                         set("nonce", ""),
	"nonce: short":                         set("nonce", "00"),
	"nonce: another":                       set("nonce", "00000000000000000000000000000000"),
	"nonce: long":                          set("nonce", strings.Repeat("0", 1<<20)),
	"nonce: none and no digests":           drop("nonce", "manifestDigest", "valuesDigest", "chartDigest", "preconditions", "keyedBy"),
	"digests: none":                        drop("manifestDigest", "valuesDigest", "chartDigest"),
	"digests: no manifest":                 drop("manifestDigest"),
	"digests: no values":                   drop("valuesDigest"),
	"digests: no chart":                    drop("chartDigest"),
	"digests: another manifest":            set("manifestDigest", digestOfNothing),
	"digests: another chart":               set("chartDigest", digestOfNothing),
	"digests: no key":                      drop("keyedBy"),
	"digests: no key and none":             drop("keyedBy", "manifestDigest", "valuesDigest", "chartDigest"),
	"digests: another key":                 set("keyedBy", "Options"),
	"digests: a key that does not exist":   set("keyedBy", "None"),
	"digests: the slow kind":               set("manifestDigest", "pbkdf2-sha256:"+digestOfNothing[12:]),
	"digests: a hash without a key":        set("manifestDigest", "sha256:"+digestOfNothing[12:]),
	"preconditions: none":                  drop("preconditions"),
	"preconditions: one less":              drop("preconditions.0"),
	"preconditions: repeated":              again("preconditions", 1),
	"preconditions: repeated often":        again("preconditions", 100_000),
	"preconditions: in another order":      reversed("preconditions"),
	"preconditions: no identity":           set("preconditions.0.identity", ""),
	"preconditions: another identity":      set("preconditions.0.identity", digestOfNothing),
	"preconditions: the slow kind":         set("preconditions.0.identity", "pbkdf2-sha256:"+digestOfNothing[12:]),
	"preconditions: of another object":     set("preconditions.0.object.name", "loot"),
	"preconditions: of the neighbour's":    set("preconditions.0.object.namespace", "NEIGHBOUR"),
	"preconditions: of a revision":         set("preconditions.0.object", map[string]any{"version": "v1", "kind": "Secret", "namespace": "OWN", "name": "sh.helm.release.v1.shop.v1"}),
	"preconditions: no fields":             drop("preconditions.0.fields"),
	"preconditions: the UID":               add("preconditions.0.fields", `{"path":"metadata.uid","digest":"`+digestOfNothing+`"}`),
	"preconditions: the UID alone":         set("preconditions.0.fields", []any{map[string]any{"path": "metadata.uid", "digest": digestOfNothing}}),
	"preconditions: another path":          set("preconditions.0.fields.0.path", "metadata.uid"),
	"preconditions: another value":         set("preconditions.0.fields.0.digest", digestOfNothing),
	"preconditions: many slow fields":      both(add("preconditions.0.fields", `{"path":"data.pin","digest":"pbkdf2-sha256:00"}`), again("preconditions.0.fields", 10_000)),
	"preconditions: a version":             set("preconditions.0.resourceVersion", "1"),
	"preconditions: one more":              add("preconditions", `{"object":{"version":"v1","kind":"Secret","namespace":"NEIGHBOUR","name":"loot"},"identity":"`+digestOfNothing+`"}`),
	"changes: none":                        set("report.changes", []any{}),
	"changes: one less":                    drop("report.changes.0"),
	"changes: repeated":                    again("report.changes", 1),
	"changes: in another order":            reversed("report.changes"),
	"changes: one more":                    add("report.changes", `{"object":{"version":"v1","kind":"Secret","namespace":"NEIGHBOUR","name":"loot"},"action":"Deleted"}`),
	"changes: hidden as unchanged":         set("report.changes.*.action", "Unchanged"),
	"changes: hidden as kept":              set("report.changes.*.action", "Kept"),
	"changes: said to be unchanged too":    func(doc map[string]any) bool { return sayUnchanged(doc) },
	"changes: another action":              each("report.changes", set("action", "Replaced")),
	"changes: no action":                   drop("report.changes.*.action"),
	"changes: an action that is none":      set("report.changes.*.action", "Destroyed"),
	"changes: marked local":                each("report.changes", set("local", true)),
	"changes: marked local, other values":  both(each("report.changes", set("local", true)), each("report.changes", each("fields", set("desired", "evil:666")))),
	"changes: marked local, no fields":     both(each("report.changes", set("local", true)), each("report.changes", drop("fields"))),
	"changes: of another object":           set("report.changes.*.object.name", "loot"),
	"changes: of another kind":             set("report.changes.*.object.kind", "ServiceAccount"),
	"changes: of another group":            set("report.changes.*.object.group", "example.com"),
	"changes: of another version":          set("report.changes.*.object.version", "v2"),
	"changes: of the neighbour's":          set("report.changes.*.object.namespace", "NEIGHBOUR"),
	"changes: no fields":                   drop("report.changes.*.fields"),
	"changes: a field less":                drop("report.changes.1.fields.0"),
	"changes: a field more":                add("report.changes.1.fields", `{"path":"data.planted","desired":"x","cause":"Chart"}`),
	"changes: fields twice":                again("report.changes.1.fields", 1),
	"changes: fields repeated often":       again("report.changes.1.fields", 200_000),
	"changes: fields in another order":     reversed("report.changes.1.fields"),
	"changes: another desired value":       set("report.changes.1.fields.0.desired", "good:2"),
	"changes: no desired value":            drop("report.changes.1.fields.0.desired"),
	"changes: another live value":          set("report.changes.1.fields.0.live", "good:1"),
	"changes: another base":                set("report.changes.1.fields.0.base", "good:0"),
	"changes: another path":                set("report.changes.1.fields.0.path", "data.other2"),
	"changes: a path that is malformed":    set("report.changes.1.fields.0.path", "data[[["),
	"changes: another cause":               set("report.changes.1.fields.0.cause", "Default"),
	"changes: another manager":             set("report.changes.1.fields.0.manager", "another"),
	"changes: hidden as a secret":          each("report.changes", each("fields", both(set("secret", true), set("desired", "[secret 00000000]")))),
	"changes: marked as secret":            set("report.changes.1.fields.0.secret", true),
	"changes: not marked as secret":        drop("report.changes.*.fields.0.secret"),
	"changes: marked as reordered":         set("report.changes.*.fields.0.reordered", true),
	"changes: marked as immutable":         set("report.changes.*.fields.0.immutable", true),
	"changes: another reason":              set("report.changes.*.reason", "approved by the platform"),
	"changes: another source":              set("report.changes.*.source", "bank/templates/a.yaml"),
	"changes: without warnings":            each("report.changes", drop("warnings")),
	"report: another title":                set("report.title", "nothing to see"),
	"report: another summary":              set("report.summary", "no changes"),
	"report: another schema":               set("report.schema", "fairlead.dev/report/v2"),
	"report: none":                         drop("report"),
	"report: without notes":                drop("report.notes"),
	"hooks: none":                          drop("hooks"),
	"hooks: one more":                      add("hooks", `{"object":{"version":"v1","kind":"ConfigMap","namespace":"OWN","name":"planted"},"event":"pre-upgrade"}`),
	"hooks: twice":                         again("hooks", 1),
	"hooks: of another object":             set("hooks.0.object.name", "other"),
	"hooks: of the neighbour's":            set("hooks.0.object.namespace", "NEIGHBOUR"),
	"hooks: of another event":              set("hooks.0.event", "test"),
	"hooks: of another weight":             set("hooks.0.weight", 7),
	"hooks: replaces":                      set("hooks.0.replaces", "yes"),
	"hooks: another body":                  set("hooks.0.fields.0.desired", "good"),
	"hooks: no body":                       drop("hooks.0.fields"),
	"hooks: a hidden body":                 both(set("hooks.0.fields.0.desired", "[secret 00000000]"), set("hooks.0.fields.0.secret", true)),
	"later hooks: none":                    drop("laterHooks"),
	"later hooks: another body":            set("laterHooks.0.fields.0.desired", "good"),
	"later hooks: of another event":        set("laterHooks.0.event", "pre-delete"),
	"problems: one that is none":           set("problems", []any{map[string]any{"kind": "Conflict", "object": map[string]any{"kind": "A", "name": "a"}, "message": "none"}}),
	"problems: an empty list":              set("problems", []any{}),
	"missing: an empty list":               set("missing", []any{}),
	"signature: empty":                     set("signature", map[string]any{}),
	"signature: of long ago":               set("signature", map[string]any{"at": "2001-01-01T00:00:00Z", "expires": "2001-01-02T00:00:00Z", "algorithm": "Ed25519", "value": "AAAA"}),
	"schema: none":                         drop("schema"),
	"schema: another version":              set("schema", "fairlead.dev/plan/v0"),
	"members: an unknown one":              set("unsafePrune", true),
	"members: one of options":              set("force", true),
	"members: an unknown one of a change":  set("report.changes.*.replace", "Recreate"),
	"members: an unknown one of a field":   set("report.changes.*.fields.0.hidden", true),
	"members: an unknown one of an object": set("report.changes.*.object.uid", "x"),
	"members: in another case":             set("Kind", "Uninstall"),
	"members: in upper case":               set("RELEASE", map[string]any{"namespace": "NEIGHBOUR", "name": "bank"}),
	"members: a prototype":                 set("__proto__", map[string]any{"kind": "Uninstall"}),
}

// sayUnchanged adds an entry that says of the first object that it stays.
func sayUnchanged(doc map[string]any) bool {
	v, _ := valueIn(doc, "report.changes.*.object")
	if v == nil {
		return false
	}
	return add("report.changes", `{"object":`+mustJSON(v)+`,"action":"Unchanged"}`)(doc)
}

func mustJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func decodePlan(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// apply reads a plan and applies it, as a platform does with what a tenant has
// handed in.
func (f *fixture) applyText(e *engine.Engine, text string, opts engine.ApplyOptions) error {
	var plan engine.Plan
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return err
	}
	_, err := e.Apply(f.ctx, &plan, opts)
	return err
}

// neighbourOf deploys a release "bank" of another tenant.
func (f *fixture) neighbourOf() string {
	f.Helper()
	namespace := f.cluster.Namespace(f.T)
	bank := f.release(f.chart(map[string]string{"s.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: loot}\nstringData: {token: " + attackLoot + "}\n"}))
	bank.Key = engine.Key{Namespace: namespace, Name: "bank"}
	f.deploy(bank)
	return namespace
}

// An edited plan is refused, whatever was edited: nothing is written, nothing of
// the neighbour's is read, and the error shows no secret.
func TestAttackEditedPlans(t *testing.T) {
	f := newFixture(t)
	neighbour := f.neighbourOf()
	plans := f.attackPlans()
	place := strings.NewReplacer("NEIGHBOUR", neighbour, "OWN", f.namespace)
	e, attempts := f.platform(engine.Options{Allow: engine.OwnNamespace})
	withNamespace, more := f.platform(engine.Options{})
	tried := 0
	for _, kind := range slices.Sorted(maps.Keys(plans)) {
		plan, e, attempts := plans[kind], e, attempts
		if kind == "install" { // into a namespace that is created
			e, attempts = withNamespace, more
		}
		for i, name := range slices.Sorted(maps.Keys(attackEdits)) {
			if kind != "upgrade" && i%4 != len(kind)%4 && os.Getenv(allAttacks) == "" {
				continue
			}
			doc := decodePlan(t, plan.stored)
			attackEdits[name](doc)
			edited := place.Replace(mustJSON(doc))
			if sameJSON(t, edited, plan.stored) || saysNoLess(kind, name) {
				continue
			}
			tried++
			f.requests.Reset()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			f.ctx = ctx
			f.wantHarmless(name+" of the "+kind, f.applyText(e, edited, plan.opts), attempts(), neighbour)
			cancel()
		}
		f.ctx = t.Context()
		// Nothing but the edit keeps the plan from being applied.
		if err := f.applyText(e, plan.stored, plan.opts); err == nil || len(attempts()) == 0 {
			t.Errorf("the plan of the %s as it was reviewed: %v", kind, err)
		}
	}
	t.Logf("%d edited plans were refused", tried)
	if tried < 250 {
		t.Errorf("only %d edits changed anything", tried)
	}
}

// saysNoLess reports whether an edited plan says all that would be done, and so
// is applied as it was.
func saysNoLess(kind, name string) bool {
	switch name {
	case "changes: without warnings":
		return kind == "local" || kind == "correction" // a dry-run brings them; they are of what stays as it is
	case "nonce: another":
		return kind == "install" // which has no digests
	}
	return false
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	return mustJSON(decodePlan(t, a)) == mustJSON(decodePlan(t, b))
}

// wantHarmless checks what an attack has done that was refused with an error.
func (f *fixture) wantHarmless(what string, err error, attempts []string, neighbour string) {
	f.Helper()
	if len(attempts) > 0 {
		f.Errorf("%s: it tried %v, and returned %v", what, attempts, err)
	}
	for _, request := range f.requests.Requests() {
		if strings.Contains(request.Path+"/", "/"+neighbour+"/") {
			f.Errorf("%s: it asked for %s", what, request)
		}
	}
	if err == nil {
		f.Fatalf("%s: it was applied", what)
	}
	for _, secret := range []string{attackFirst, attackSecond, attackLoot, "\x1b"} {
		if strings.Contains(err.Error(), secret) {
			f.Errorf("%s: the error shows %q: %v", what, secret, err)
		}
	}
	if f.ctx.Err() != nil {
		f.Fatalf("%s: it took all of the time: %v", what, err)
	}
}

// platform is an engine with all permissions but to write: an attack that is
// refused by it tries no write, and one that gets through fails with noWrites,
// so that the state stays what all attacks were made for.
func (f *fixture) platform(opts engine.Options) (e *engine.Engine, attempts func() []string) {
	f.Helper()
	var mu sync.Mutex
	var tried []string
	cfg := testcluster.Inject(f.config, func(req *http.Request) (*http.Response, error) {
		if req.Method == http.MethodGet || req.URL.Query().Get("dryRun") != "" || strings.Contains(req.URL.Path, "/selfsubject") {
			return nil, nil
		}
		mu.Lock()
		defer mu.Unlock()
		tried = append(tried, req.Method+" "+req.URL.Path)
		body := `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"` + noWrites + `"}`
		return &http.Response{
			StatusCode: http.StatusForbidden, Request: req, Header: http.Header{"Content-Type": {"application/json"}},
			Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	})
	e, err := engine.New(cfg, opts)
	if err != nil {
		f.Fatal(err)
	}
	return e, func() []string {
		mu.Lock()
		defer mu.Unlock()
		out := tried
		tried = nil
		return out
	}
}

const noWrites = "this test allows no writes"
