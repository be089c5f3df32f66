package engine

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// place is a member or an item of a document.
type place struct {
	in  any // map[string]any or *[]any
	key string
	at  int
}

func (p place) get() any {
	if m, ok := p.in.(map[string]any); ok {
		return m[p.key]
	}
	return (*p.in.(*[]any))[p.at]
}

func (p place) set(v any) {
	if m, ok := p.in.(map[string]any); ok {
		m[p.key] = v
		return
	}
	(*p.in.(*[]any))[p.at] = v
}

// places lists all of a document, whose lists are behind pointers.
func places(v any, out []place) []place {
	switch v := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			out = places(v[k], append(out, place{in: v, key: k}))
		}
	case *[]any:
		for i := range *v {
			out = places((*v)[i], append(out, place{in: v, at: i}))
		}
	}
	return out
}

// editable puts the lists of a document behind pointers.
func editable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = editable(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = editable(e)
		}
		return &out
	case *[]any:
		return editable(*v)
	}
	return v
}

// TamperPlan edits the JSON of a plan: it drops, swaps, repeats, copies and
// changes parts of it, up to three of them.
func TamperPlan(text string, r *rand.Rand) string {
	var decoded any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if d.Decode(&decoded) != nil {
		return text
	}
	doc := editable(decoded)
	for range 1 + r.IntN(3) {
		all := places(doc, nil)
		if len(all) == 0 {
			break
		}
		tamper(all[r.IntN(len(all))], all[r.IntN(len(all))], r)
	}
	out, err := json.Marshal(doc)
	if err != nil {
		return text
	}
	return string(out)
}

// tamper edits one place, perhaps with what is at another.
func tamper(p, other place, r *rand.Rand) {
	list, inList := p.in.(*[]any)
	switch r.IntN(9) {
	case 0: // drop
		if inList {
			*list = slices.Delete(*list, p.at, p.at+1)
		} else {
			delete(p.in.(map[string]any), p.key)
		}
	case 1: // repeat
		if inList {
			*list = slices.Insert(*list, p.at, editable(p.get()))
		}
	case 2: // swap
		a, b := editable(p.get()), editable(other.get())
		p.set(b)
		other.set(a)
	case 3: // copy
		p.set(editable(other.get()))
	case 4: // another order
		if inList {
			r.Shuffle(len(*list), func(i, j int) { (*list)[i], (*list)[j] = (*list)[j], (*list)[i] })
		}
	case 5: // add a member, known elsewhere or nowhere
		if m, ok := p.get().(map[string]any); ok {
			key := other.key
			if key == "" || r.IntN(4) == 0 {
				key = "planted"
			}
			m[key] = editable(other.get())
		}
	case 6: // nothing
		p.set([]any{nil, "", json.Number("0"), false, map[string]any{}, &[]any{}}[r.IntN(6)])
	default:
		p.set(changedScalar(p.get(), r))
	}
}

// changedScalar is another value of the same type.
func changedScalar(v any, r *rand.Rand) any {
	switch v := v.(type) {
	case string:
		b := []byte(v)
		switch {
		case len(b) == 0 || r.IntN(6) == 0:
			return []string{"Uninstall", "Unchanged", "Kept", "local", "[secret]", "[secret 00000000]", "kube-api-access-abcde", "x"}[r.IntN(8)]
		case r.IntN(3) == 0:
			return v[:r.IntN(len(v))]
		}
		b[r.IntN(len(b))] ^= 1 << r.IntN(5)
		return string(b)
	case json.Number:
		return json.Number(fmt.Sprint(r.IntN(7) - 1))
	case bool:
		return !v
	}
	return v
}

// SaysNoLess returns an error unless an edited plan says all that the original
// one does of what would be done: what was added are warnings and notes, what
// was changed is not about that.
func SaysNoLess(edited, original string) error {
	read := func(text string) (*Plan, error) {
		var p Plan
		err := json.Unmarshal([]byte(text), &p)
		return &p, err
	}
	a, err := read(edited)
	if err != nil {
		return err
	}
	b, err := read(original)
	if err != nil {
		return err
	}
	if text, missing := missingText(a.Report.Warnings, b.Report.Warnings); missing && a.asksAll() {
		return fmt.Errorf("the warning %q is missing", text)
	}
	if text, missing := missingText(a.Report.Notes, b.Report.Notes); missing {
		return fmt.Errorf("the note %q is missing", text)
	}
	for i := range min(len(a.Report.Changes), len(b.Report.Changes)) {
		was, is := &b.Report.Changes[i], &a.Report.Changes[i]
		if text, missing := missingText(is.Warnings, was.Warnings); missing && was.Changed() && !is.Local {
			return fmt.Errorf("the warning %q of %s is missing", text, was.Object)
		}
		if !was.Changed() {
			was.Reason, is.Reason = "", ""
		}
		// It claims less; or it claims that the API server has confirmed the
		// change, as it does when the plan is applied.
		if is.Local && !a.asksAll() || was.Local && !b.asksAll() || !was.Changed() {
			was.Local, is.Local = false, false
		}
	}
	if b.KeyedBy == "" && b.ManifestDigest == "" && len(b.Preconditions) == 0 {
		a.Nonce, b.Nonce = "", "" // it is only for digests, of which a first install has none
	}
	for _, p := range []*Plan{a, b} {
		p.Missing, p.Signature, p.DryRun = nil, nil, ""
		p.Report.Warnings, p.Report.Notes = nil, nil
		if p.Kind.deploys() {
			p.Cause = ""
		}
		if p.KeyedBy == KeyedByRevision && p.Cluster == "" {
			a.Cluster, b.Cluster = "", ""
		}
		for i := range p.Report.Changes {
			p.Report.Changes[i].Warnings = nil
			for j := range p.Report.Changes[i].Fields {
				p.Report.Changes[i].Fields[j].Time = nil
			}
		}
		for _, h := range slices.Concat(p.Hooks, p.LaterHooks) {
			for j := range h.Fields {
				h.Fields[j].Time = nil
			}
		}
	}
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	if errX != nil || errY != nil || steady(string(x)) != steady(string(y)) {
		a, b := steady(string(x)), steady(string(y))
		at := 0
		for at < min(len(a), len(b)) && a[at] == b[at] {
			at++
		}
		return fmt.Errorf("it says …%s\nin place of …%s", a[max(0, at-200):min(len(a), at+200)], b[max(0, at-200):min(len(b), at+200)])
	}
	return nil
}

// reviewedPlan is a plan that has all that a plan may have, as it is made with a
// nonce.
func reviewedPlan(nonce string, keyed, local bool) *Plan {
	k := Key{"shop", "web"}
	made := func(kind, name string) *unstructured.Unstructured {
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": kind, "data": map[string]any{"a": "bGl2ZQ==", "b": "same"}}}
		u.SetName(name)
		u.SetNamespace(k.Namespace)
		u.SetUID("6f1c7f5e-0000-4000-8000-000000000001")
		u.SetResourceVersion("7")
		return u
	}
	field := func(path string, live, desired any, secret bool) diff.Field {
		return diff.Field{Path: path, Base: live, Live: live, Desired: desired, Cause: diff.Chart, Secret: secret}
	}
	secret, config := made("Secret", "s"), made("ConfigMap", "c")
	steps := []step{
		{object: &object{live: secret}, change: diff.Change{Object: diff.ObjectOf(secret), Action: diff.Updated, Source: "web/templates/s.yaml", Fields: []diff.Field{field("data.a", "[secret 11111111]", "[secret 22222222]", true)}}},
		{object: &object{live: config}, change: diff.Change{Object: diff.ObjectOf(config), Action: diff.Updated, Local: local, Fields: []diff.Field{field("data.a", "bGl2ZQ==", "new", false), field("data.c", nil, "kube-api-access-x5k2p", false)}, Warnings: []string{"deprecated"}}},
		{object: &object{live: made("ConfigMap", "gone")}, change: diff.Change{Object: diff.ObjectOf(made("ConfigMap", "gone")), Action: diff.Deleted, Reason: "no longer rendered"}},
		{object: &object{live: made("ConfigMap", "stays")}, change: diff.Change{Object: diff.ObjectOf(made("ConfigMap", "stays")), Action: diff.Kept, Reason: "resource policy"}},
		{object: &object{live: made("ConfigMap", "same")}, change: diff.Change{Object: diff.ObjectOf(made("ConfigMap", "same")), Action: diff.Unchanged}},
	}
	record := &storage.Record{Name: k.Name, Namespace: k.Namespace, Revision: 2, Values: map[string]any{"a": "b"}, Manifest: storage.TextOf("kind: A")}
	p := &Plan{
		Kind: PlanUpgrade, Key: k, From: 1, To: 2, Chart: "web-1.0.0", Cause: "a cause", Cluster: "shop/sha256:00",
		Report:     diff.Report{Title: "upgrade shop/web", Warnings: []string{"a warning"}, Notes: []string{"a note"}},
		Hooks:      []PlannedHook{{Object: diff.ObjectOf(made("ConfigMap", "h")), Event: "pre-upgrade", Weight: 1, Fields: []diff.Field{field("data.a", nil, "x", false)}}},
		LaterHooks: []PlannedHook{{Object: diff.ObjectOf(made("ConfigMap", "t")), Event: "test", Fields: []diff.Field{field("data.a", nil, "y", false)}}},
		work:       &work{steps: steps, record: record, history: &history{}},
	}
	for _, s := range steps {
		p.Report.Changes = append(p.Report.Changes, s.change)
	}
	d := digester{nonce: nonce}
	if keyed {
		d.keyedBy, d.key = KeyedByRevision, []byte("derived with "+nonce)
	}
	if err := p.addDigests(d); err != nil {
		panic(err)
	}
	return p
}

// FuzzEditedPlans edits stored plans. What is still accepted says all that would
// be done. Each input is for many edits: the coverage that is recorded for an
// input is far larger than what it runs.
func FuzzEditedPlans(f *testing.F) {
	for i := range uint64(20) {
		f.Add(i, i%2 == 0)
	}
	f.Fuzz(func(t *testing.T, seed uint64, keyed bool) {
		for i := range uint64(100) {
			text, err := editedPlan(rand.New(rand.NewPCG(seed, i)), keyed)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
	})
}

// editedPlan edits a plan and compares it as Apply does. It returns an error if
// the edit is accepted, and is not one that SaysNoLess.
func editedPlan(r *rand.Rand, keyed bool) (text string, err error) {
	const nonce = "00112233445566778899aabbccddeeff"
	original, err := json.Marshal(reviewedPlan(nonce, keyed, false))
	if err != nil {
		return "", err
	}
	text = TamperPlan(string(original), r)
	var then, same Plan
	if json.Unmarshal([]byte(text), &then) != nil {
		return text, nil
	}
	again, err := json.Marshal(&then)
	if err != nil {
		return text, err
	}
	if err := json.Unmarshal(again, &same); err != nil || !reflect.DeepEqual(then, same) {
		return text, fmt.Errorf("a plan that was read is not read again: %w: %s", err, again)
	}
	if (&Engine{}).expected(&then, ApplyOptions{Release: &Release{Key: Key{"shop", "web"}}}) != nil {
		return text, nil
	}
	if then.Cluster != "shop/sha256:00" && (then.Cluster != "" || then.KeyedBy == "") {
		return text, nil // which checkCluster finds
	}
	fresh := func(local bool) func() (*Plan, error) {
		return func() (*Plan, error) { return reviewedPlan(then.Nonce, keyed, local), nil }
	}
	now, _ := fresh(false)()
	c := comparison{then: &then, now: now, stored: true, again: fresh(false), local: fresh(true)}
	if c.run() != nil {
		return text, nil
	}
	if err := SaysNoLess(text, string(original)); err != nil {
		return text, fmt.Errorf("accepted, although %w", err)
	}
	return text, nil
}
