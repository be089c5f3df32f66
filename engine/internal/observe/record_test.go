package observe

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/json"
)

// written is an object as an API server sends it.
func written(t testing.TB, n int, colour string, fields ...metav1.ManagedFieldsEntry) *unstructured.Unstructured {
	t.Helper()
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"config-%d","namespace":"team-%d","uid":"0b5a6c1e-7a52-4f7e-9d3c-%012d","resourceVersion":"%d",
"labels":{"app.kubernetes.io/managed-by":"Helm"},"annotations":{"meta.helm.sh/release-name":"shop-%d","meta.helm.sh/release-namespace":"team-%d"}},
"data":{"colour":%q,"text":%q}}`, n, n/10, n, 100000+n, n/4, n/10, colour, strings.Repeat("text ", 500))
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal([]byte(text), &u.Object); err != nil {
		t.Fatal(err)
	}
	u.SetManagedFields(fields)
	return u
}

func managed(manager, subresource string, second int, fields string) metav1.ManagedFieldsEntry {
	at := metav1.NewTime(time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC))
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationApply, Subresource: subresource, APIVersion: "v1", Time: &at, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestChangedBy(t *testing.T) {
	r := &reducer{seed: maphash.MakeSeed()}
	ours, theirs := managed("fairlead", "", 1, `{"f:data":{}}`), managed("editor", "", 1, `{"f:data":{"f:colour":{}}}`)
	later, latest := managed("fairlead", "", 2, `{"f:data":{}}`), managed("fairlead", "", 3, `{"f:data":{}}`)
	status := managed("controller", "status", 9, `{"f:status":{}}`)
	for name, c := range map[string]struct {
		before, after *unstructured.Unstructured
		want          change
		together      bool // by no other manager, however many writes there were
	}{
		"first seen":                     {nil, written(t, 1, "red", ours, theirs), change{"editor", true, false}, false},
		"another entry, same second":     {written(t, 1, "red", ours), written(t, 1, "blue", theirs, ours), change{"editor", true, true}, true},
		"both within a second":           {written(t, 1, "red"), written(t, 1, "blue", theirs, ours), change{"fairlead", true, false}, false},
		"status is later, content too":   {written(t, 1, "red", ours), written(t, 1, "blue", ours, theirs, status), change{"editor", true, true}, true},
		"status alone":                   {written(t, 1, "red", ours), written(t, 1, "red", ours, status), change{"controller", true, true}, true},
		"the same fields later":          {written(t, 1, "red", ours, theirs), written(t, 1, "blue", later, theirs), change{"fairlead", true, true}, true},
		"another loses fields to it":     {written(t, 1, "red", ours, theirs), written(t, 1, "blue", managed("editor", "", 1, `{}`), later), change{"fairlead", true, true}, false},
		"after another":                  {written(t, 1, "red", ours), written(t, 1, "blue", theirs, latest), change{"fairlead", true, true}, false},
		"within a second":                {written(t, 1, "red", ours), written(t, 1, "blue", ours), change{manager: "fairlead"}, false},
		"either within a second":         {written(t, 1, "red", ours, theirs), written(t, 1, "blue", ours, theirs), change{}, false},
		"nothing is known":               {written(t, 1, "red"), written(t, 1, "blue"), change{}, false},
		"without managedFields, before":  {written(t, 1, "red"), written(t, 1, "blue", theirs), change{"editor", true, true}, true},
		"status that cannot be recorded": {written(t, 1, "red", ours, status), written(t, 1, "red", ours, status), change{manager: "controller"}, false},
	} {
		var before *record
		if c.before != nil {
			before = &r.object(c.before).record
		}
		i := r.object(c.after)
		if got := i.changedBy(before, false); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		c.want.alone = c.together
		if got := i.changedBy(before, true); got != c.want {
			t.Errorf("%s, by several writes: %+v, want %+v", name, got, c.want)
		}
	}
}

// A change counts as the engine's own only where that is certain: one that is not
// would be left out of what a watch returns.
func TestOwnChanges(t *testing.T) {
	ours, later := managed("fairlead", "", 1, `{"f:data":{}}`), managed("fairlead", "", 2, `{"f:data":{}}`)
	theirs := managed("editor", "", 2, `{"f:data":{"f:colour":{}}}`)
	writes := &Writes{}
	writes.follow(1)
	key := Release{"team-0", "shop-0"}
	config := Object{Resource: schema.GroupResource{Resource: "configmaps"}, Namespace: "team-0", Name: "config-1"}
	for title, c := range map[string]struct {
		fields  []metav1.ManagedFieldsEntry
		written bool // by this process
		listed  bool
		want    string // the manager of what is returned
		own     bool
	}{
		"shown":                     {fields: []metav1.ManagedFieldsEntry{later}, own: true},
		"shown by a list":           {fields: []metav1.ManagedFieldsEntry{later}, listed: true, own: true},
		"not recorded":              {fields: []metav1.ManagedFieldsEntry{ours}},
		"not recorded, in a list":   {fields: []metav1.ManagedFieldsEntry{ours}, listed: true},
		"not recorded, but its own": {fields: []metav1.ManagedFieldsEntry{ours}, written: true, own: true},
		"of another":                {fields: []metav1.ManagedFieldsEntry{ours, theirs}, want: "editor"},
		"after another, in a list":  {fields: []metav1.ManagedFieldsEntry{theirs, managed("fairlead", "", 3, `{"f:data":{}}`)}, listed: true, want: "fairlead"},
		"of another and itself":     {fields: []metav1.ManagedFieldsEntry{theirs, later}, want: "fairlead"},
		"without any managedFields": {},
	} {
		o := &Observer{
			opts: Options{Manager: "fairlead", Writes: writes}, reducer: reducer{seed: maphash.MakeSeed()}, ctx: t.Context(),
			queue: newQueue(), releases: map[Release]*release{key: {key: key}},
		}
		f := &feed{place: place{resource: config.Resource}, records: map[name]*record{}, known: true}
		h := objects{o}
		h.keep(f, o.reducer.object(written(t, 1, "red", ours)))
		after := written(t, 1, "blue", c.fields...)
		after.SetResourceVersion(title)
		if c.written {
			writes.Begin(config)(title)
			writes.Begin(config)(title + ", later") // before the watch shows the first one
		}
		if c.listed {
			h.replaced(f, []*item{o.reducer.object(after)}, false)
		} else {
			h.changed(f, o.reducer.object(after))
		}
		_, events, _, _ := o.queue.take()
		if c.own != (len(events) == 0) {
			t.Errorf("%s: returned %v", title, events)
		}
		if len(events) > 0 && (events[0].Reason != Changed || events[0].Manager != c.want) {
			t.Errorf("%s: returned %v, want a change by %q", title, events, c.want)
		}
	}
}

// What the API server and controllers count is no change of the content.
func TestContent(t *testing.T) {
	r := &reducer{seed: maphash.MakeSeed()}
	u := written(t, 1, "red")
	same := u.DeepCopy()
	same.SetResourceVersion("7")
	same.SetGeneration(3)
	same.SetManagedFields([]metav1.ManagedFieldsEntry{managed("a", "", 1, `{}`)})
	same.Object["status"] = map[string]any{"phase": "Active"}
	if r.object(u).content != r.object(same).content {
		t.Error("the status counts as content")
	}
	for _, path := range [][]string{{"data", "colour"}, {"metadata", "labels", "a"}, {"metadata", "deletionTimestamp"}} {
		other := u.DeepCopy()
		if err := unstructured.SetNestedField(other.Object, "2026-01-01T00:00:00Z", path...); err != nil {
			t.Fatal(err)
		}
		if r.object(u).content == r.object(other).content {
			t.Errorf("%v does not count as content", path)
		}
	}
}

// perObject is what the documentation says that an object takes, in bytes.
const perObject = 500

// What is kept of an object is small, however large the object is.
func TestMemoryOfObjects(t *testing.T) {
	const n = 20_000
	o := &Observer{reducer: reducer{seed: maphash.MakeSeed()}, queue: newQueue(), releases: map[Release]*release{}}
	h := objects{o}
	f := &feed{records: map[name]*record{}}
	for i := range n / 4 {
		key := Release{fmt.Sprintf("team-%d", i*4/10), fmt.Sprintf("shop-%d", i)}
		o.releases[key] = &release{key: key}
	}
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := used()
	for i := range n {
		h.keep(f, o.reducer.object(written(t, i, "red", managed("fairlead", "", 1, `{"f:data":{}}`), managed("controller", "status", 1, `{}`))))
	}
	each := (used() - before) / n
	t.Logf("%d bytes an object", each)
	if each > perObject {
		t.Errorf("an object takes %d bytes, want at most %d", each, perObject)
	}
	runtime.KeepAlive(f)
	runtime.KeepAlive(o)
}

// However many events come, what is kept of a release is bounded, and nothing is
// lost of which releases are touched.
func TestQueue(t *testing.T) {
	q := newQueue()
	for i := range 1000 {
		for _, name := range []string{"a", "b"} {
			q.add(Release{"team", name}, Event{Reason: Changed, Manager: fmt.Sprint(i)})
			q.add(Release{"team", name}, Event{Reason: Ready})
		}
	}
	for _, want := range []string{"a", "b"} {
		r, events, more, ok := q.take()
		if !ok || r.Name != want || len(events) != MaxEvents || more != 1000-(MaxEvents-1) {
			t.Errorf("%v, %d events, %d more, %t", r, len(events), more, ok)
		}
	}
	if _, _, _, ok := q.take(); ok {
		t.Error("there is more")
	}
}

// Whether a revision is this process's own is known once its write has ended.
func TestOwnWrites(t *testing.T) {
	w := &Writes{}
	w.follow(1)
	v1, v2 := Object{Namespace: "team", Name: "v1"}, Object{Namespace: "team", Name: "v2"}
	end := w.Begin(v1)
	known := make(chan bool)
	go func() { known <- w.own(t.Context(), v1, "7") }()
	select {
	case <-known:
		t.Error("it is known too early")
	case <-time.After(20 * time.Millisecond):
	}
	end("7")
	if !<-known || w.own(t.Context(), v1, "8") || w.own(t.Context(), v2, "7") {
		t.Error("own writes are confused with others")
	}
	w.Begin(v1)("") // refused
	w.Begin(v1)("9")
	if !w.own(t.Context(), v1, "7") || !w.own(t.Context(), v1, "9") {
		t.Error("a write is forgotten for the next one")
	}
	w.Begin(v1)(gone)
	if !w.own(t.Context(), v1, gone) {
		t.Error("a deletion is not known")
	}
	w.Begin(v1)("10")
	if w.own(t.Context(), v1, gone) {
		t.Error("a deletion counts for what was created since")
	}
	w.Begin(v1)("9")
	for i := range maxOwn - 1 {
		w.Begin(v2)(fmt.Sprint(i))
	}
	if !w.own(t.Context(), v1, "9") {
		t.Error("a write is forgotten too early")
	}
	for i := range maxOwn {
		w.Begin(v2)(fmt.Sprint(i, " again"))
	}
	if w.own(t.Context(), v1, "9") || len(w.done)+len(w.older) > 2*maxOwn {
		t.Error("writes are kept without a bound")
	}
}
