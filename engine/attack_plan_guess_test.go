package engine_test

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine"
)

const attackPIN = "4821"

// readable are all texts in all objects that a user may list: what could be a
// key.
func (f *fixture) readable(cfg *rest.Config, namespaces ...string) []string {
	f.Helper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(f.config).ServerPreferredResources()
	if err != nil {
		f.Fatal(err)
	}
	cfg = rest.CopyConfig(cfg)
	cfg.WarningHandler = rest.NoWarnings{} // of deprecated kinds
	client := dynamic.NewForConfigOrDie(cfg)
	found := map[string]bool{}
	var learn func(v any)
	learn = func(v any) {
		switch v := v.(type) {
		case string:
			found[v] = true
		case map[string]any:
			for k, e := range v {
				found[k] = true
				learn(e)
			}
		case []any:
			for _, e := range v {
				learn(e)
			}
		}
	}
	forbidden := 0
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			f.Fatal(err)
		}
		for _, r := range list.APIResources {
			if !slices.Contains(r.Verbs, "list") {
				continue
			}
			places := []string{""}
			if r.Namespaced {
				places = namespaces
			}
			for _, namespace := range places {
				got, err := client.Resource(gv.WithResource(r.Name)).Namespace(namespace).List(f.ctx, metav1.ListOptions{})
				if err != nil {
					forbidden++
					continue
				}
				for _, item := range got.Items {
					learn(item.Object)
				}
			}
		}
	}
	if forbidden == 0 {
		f.Error("the user may read Secrets")
	}
	out := make([]string, 0, len(found))
	for text := range found {
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

var digestInPlan = regexp.MustCompile(`"((?:[a-z0-9-]+):[0-9a-f]{64})"`)

// guessesOf are the digests that an attacker would compute of a text, under what
// may be the key.
func guessesOf(key, nonce, what, text string) []string {
	mac := func(key []byte, message string) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(message))
		return hex.EncodeToString(h.Sum(nil))
	}
	derived := hmac.New(sha256.New, []byte(key))
	derived.Write([]byte(nonce))
	out := []string{mac([]byte(key), text), mac([]byte(key+nonce), text), mac(derived.Sum(nil), what+"\x00"+text)}
	if expanded, err := hkdf.Key(sha256.New, []byte(key), []byte(nonce), "fairlead.dev/plan/v1 digests", sha256.Size); err == nil {
		out = append(out, mac(expanded, fmt.Sprintf("%d:%s%s", len(what), what, text)))
	}
	return out
}

// Who may read everything but Secrets, and has the plan, has no test of guesses
// at a Secret's value.
func TestAttackGuesses(t *testing.T) {
	f := newFixture(t)
	chart := f.chart(map[string]string{"a.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: shop-secret}\nstringData: {pin: {{ .Values.pin | quote }}}\n---\n" + configMap[1:]})
	// What a first install shows, before there is a key.
	_, install := f.store(f.plan(f.release(chart, "pin="+attackPIN)))
	if digests := digestInPlan.FindAllString(install, -1); len(digests) > 0 {
		t.Errorf("the plan of a first install has the digests %v", digests)
	}
	f.deploy(f.release(chart, "pin="+attackPIN))
	p := f.plan(f.release(chart, "pin=1111", "colour=red"))
	_, text := f.store(p)
	if strings.Contains(text, "pbkdf2") || p.KeyedBy != engine.KeyedByRevision {
		t.Errorf("the plan is keyed by %q: %s", p.KeyedBy, text)
	}

	// The viewer reads all kinds but Secrets.
	viewer := f.cluster.User(t, "", everythingBut(f, "secrets")...)
	keys := append(f.readable(viewer, f.namespace, "kube-system", "default"), "", p.Nonce, p.Cluster, p.Key.Name)
	digests := map[string]bool{}
	for _, m := range digestInPlan.FindAllStringSubmatch(text, -1) {
		digests[m[1][strings.LastIndexByte(m[1], ':')+1:]] = true
	}
	if len(digests) < 5 || len(keys) < 100 {
		t.Fatalf("%d digests and %d possible keys", len(digests), len(keys))
	}
	object := p.Preconditions[0].Object
	encoded := base64.StdEncoding.EncodeToString([]byte(attackPIN))
	values := mustJSON(map[string]any{"colour": "red", "pin": 1111})
	texts := map[string][]string{ // what is digested, and how it may be written
		"data.pin": {mustJSON(encoded), encoded, attackPIN, mustJSON(attackPIN)}, object.String() + " data.pin": {mustJSON(encoded)},
		"values": {values, `{"colour":"red","pin":"1111"}`},
	}
	matches := func(keys []string) (found []string) {
		for what, all := range texts {
			for _, text := range all {
				for _, key := range keys {
					for _, guess := range guessesOf(key, p.Nonce, what, text) {
						if digests[guess] {
							found = append(found, what)
						}
					}
				}
				slow, err := pbkdf2.Key(sha256.New, what+"\x00"+text, []byte(p.Nonce), 1000, sha256.Size)
				if err == nil && digests[hex.EncodeToString(slow)] {
					found = append(found, what+", slowly")
				}
			}
		}
		return found
	}
	if found := matches(keys); len(found) > 0 {
		t.Errorf("the right guess at %v can be told from the wrong ones", found)
	}
	// Who reads the release's Secrets has the key: the same guesses match.
	s := f.revisionSecret(1)
	if found := matches([]string{string(s.UID) + "\n" + string(s.Data["fairlead.dev-key"])}); len(found) < 2 {
		t.Errorf("with the key only %v can be checked: the attack tries something else", found)
	}
	if found := matches([]string{string(s.UID), string(s.Data["fairlead.dev-key"])}); len(found) > 0 {
		t.Errorf("half of the key is enough for %v", found)
	}

	// The digest that is stored shows nothing without the Secret's data.
	annotation := s.Annotations["fairlead.dev/digest"]
	if !strings.HasPrefix(annotation, "hmac-sha256:") {
		t.Errorf("the stored digest is %q", annotation)
	}
	// Nor do other objects of the release have digests of the Secret.
	for _, text := range keys {
		for _, value := range []string{attackPIN, encoded} {
			sum := sha256.Sum256([]byte(value))
			if strings.Contains(text, hex.EncodeToString(sum[:])) {
				t.Errorf("a digest of the value is readable: %s", text)
			}
		}
	}
}

// everythingBut are the permissions to read all resources that the API server
// serves but one.
func everythingBut(f *fixture, but string) []rbacv1.PolicyRule {
	f.Helper()
	lists, err := discovery.NewDiscoveryClientForConfigOrDie(f.config).ServerPreferredResources()
	if err != nil {
		f.Fatal(err)
	}
	var out []rbacv1.PolicyRule
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			f.Fatal(err)
		}
		rule := rbacv1.PolicyRule{APIGroups: []string{gv.Group}, Verbs: []string{"get", "list", "watch"}}
		for _, r := range list.APIResources {
			if r.Name != but && slices.Contains(r.Verbs, "list") {
				rule.Resources = append(rule.Resources, r.Name)
			}
		}
		if len(rule.Resources) > 0 {
			out = append(out, rule)
		}
	}
	return out
}

// The errors of refused plans are no oracle: they do not show what the attacker
// asks for, and do not differ by whether a guess is right.
func TestAttackOracles(t *testing.T) {
	f := newFixture(t)
	neighbour := f.neighbourOf()
	plan := f.attackPlans()["upgrade"]
	e, attempts := f.platform(engine.Options{Allow: engine.OwnNamespace})
	secret, err := f.client.CoreV1().Secrets(f.namespace).Get(f.ctx, "shop-secret", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	revision := f.revisionSecret(1)
	hidden := []string{string(secret.UID), string(revision.UID), secret.ResourceVersion + " ", base64.StdEncoding.EncodeToString(secret.Data["password"]),
		string(revision.Data["release"][:20]), base64.StdEncoding.EncodeToString(revision.Data["fairlead.dev-key"])}
	own := map[string]any{"version": "v1", "kind": "Secret", "namespace": f.namespace, "name": "shop-secret"}
	asking := func(object map[string]any, path string) planEdit {
		pre := map[string]any{"object": object, "identity": digestOfNothing, "fields": []any{map[string]any{"path": path, "digest": digestOfNothing}}}
		return set("preconditions", []any{pre})
	}
	shown := func(path string, live any) planEdit {
		return both(set("report.changes.*.fields", []any{map[string]any{"path": path, "live": live, "desired": "x", "cause": "Chart"}}))
	}
	for name, edit := range map[string]planEdit{
		"the UID":                     asking(own, "metadata.uid"),
		"the version":                 asking(own, "metadata.resourceVersion"),
		"the value":                   asking(own, "data.password"),
		"all of the data":             asking(own, "data"),
		"all of the metadata":         asking(own, "metadata"),
		"the managers":                asking(own, "metadata.managedFields"),
		"a key of a revision":         asking(map[string]any{"version": "v1", "kind": "Secret", "namespace": f.namespace, "name": revision.Name}, `data["fairlead.dev-key"]`),
		"the neighbour's":             asking(map[string]any{"version": "v1", "kind": "Secret", "namespace": neighbour, "name": "loot"}, "data.token"),
		"an object of no kind":        asking(map[string]any{"kind": "", "name": ""}, ""),
		"a change of the UID":         shown("metadata.uid", "x"),
		"a change of the value":       shown("data.password", "x"),
		"a change with the value":     shown("data.password", base64.StdEncoding.EncodeToString([]byte(attackFirst))),
		"a change of all of the data": shown("data", map[string]any{}),
		"the right value":             set("report.changes.*.fields.0.live", base64.StdEncoding.EncodeToString([]byte(attackFirst))),
		"a value that is not hidden":  both(drop("report.changes.*.fields.0.secret"), set("report.changes.*.fields.0.live", "x")),
		"another object's field":      both(set("report.changes.*.object.name", revision.Name), shown("data.release", "x")),
	} {
		doc := decodePlan(t, plan.stored)
		edit(doc)
		f.requests.Reset()
		err := f.applyText(e, mustJSON(doc), plan.opts)
		f.wantHarmless(name, err, attempts(), neighbour)
		for _, text := range hidden {
			if err != nil && text != " " && strings.Contains(err.Error(), text) && !strings.Contains(mustJSON(doc), text) {
				t.Errorf("%s: the error shows %q: %v", name, text, err)
			}
		}
	}
	// The right value and a wrong one give the same error.
	said := map[string]bool{}
	for _, guess := range []string{attackFirst, "wrong-password"} {
		doc := decodePlan(t, plan.stored)
		set("report.changes.*.fields.0.live", base64.StdEncoding.EncodeToString([]byte(guess)))(doc)
		said[strings.ReplaceAll(f.applyText(e, mustJSON(doc), plan.opts).Error(), base64.StdEncoding.EncodeToString([]byte(guess)), "GUESS")] = true
	}
	if len(said) != 1 {
		t.Errorf("the errors differ: %v", said)
	}
}
