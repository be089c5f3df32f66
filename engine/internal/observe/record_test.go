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
	status := managed("controller", "status", 9, `{"f:status":{}}`)
	for name, c := range map[string]struct {
		before, after *unstructured.Unstructured
		want          string
	}{
		"first seen":                    {nil, written(t, 1, "red", ours, theirs), "editor"},
		"another entry, same second":    {written(t, 1, "red", ours), written(t, 1, "blue", theirs, ours), "editor"},
		"status is later, content too":  {written(t, 1, "red", ours), written(t, 1, "blue", ours, theirs, status), "editor"},
		"status alone":                  {written(t, 1, "red", ours), written(t, 1, "red", ours, status), "controller"},
		"the same fields later":         {written(t, 1, "red", ours, theirs), written(t, 1, "blue", managed("fairlead", "", 2, `{"f:data":{}}`), theirs), "fairlead"},
		"within a second":               {written(t, 1, "red", ours), written(t, 1, "blue", ours), "fairlead"},
		"either within a second":        {written(t, 1, "red", ours, theirs), written(t, 1, "blue", ours, theirs), ""},
		"nothing is known":              {written(t, 1, "red"), written(t, 1, "blue"), ""},
		"without managedFields, before": {written(t, 1, "red"), written(t, 1, "blue", theirs), "editor"},
	} {
		var before *record
		if c.before != nil {
			before = &r.object(c.before).record
		}
		if got := r.object(c.after).changedBy(before); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
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
	end := w.Begin("team", "v1")
	known := make(chan bool)
	go func() { known <- w.own(t.Context(), name{"team", "v1"}, "7") }()
	select {
	case <-known:
		t.Error("it is known too early")
	case <-time.After(20 * time.Millisecond):
	}
	end("7")
	if !<-known || w.own(t.Context(), name{"team", "v1"}, "8") || w.own(t.Context(), name{"team", "v2"}, "7") {
		t.Error("own writes are confused with others")
	}
	w.Begin("team", "v1")("") // refused
	if !w.own(t.Context(), name{"team", "v1"}, "7") {
		t.Error("a refused write is taken for one")
	}
}
