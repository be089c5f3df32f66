package storage

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// testLimit of a Secret makes what is too big for one quick to make.
const testLimit = 64 << 10

func TestMain(m *testing.M) { testcluster.Main(m) }

// shelf is a Store over a namespace of the test cluster.
type shelf struct {
	*Store
	t   *testing.T
	ctx context.Context
	ns  string
	cfg *rest.Config
	// secrets is the cluster, beside the Store.
	secrets kubernetes.Interface
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	c := testcluster.Shared(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return &shelf{Store: storeFor(t, c.Config()), t: t, ctx: ctx, ns: c.Namespace(t), cfg: c.Config(), secrets: kubernetes.NewForConfigOrDie(c.Config())}
}

func storeFor(t *testing.T, cfg *rest.Config) *Store {
	t.Helper()
	typed, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := metadata.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	store := New(typed, meta)
	store.limit = testLimit
	return store
}

func (s *shelf) record(revision int, status Status) *Record {
	r := sample("shop", revision)
	r.Namespace, r.Status = s.ns, status
	return r
}

// create records revisions 1, 2, … with these statuses.
func (s *shelf) create(statuses ...Status) []*Record {
	s.t.Helper()
	var out []*Record
	for i, status := range statuses {
		r := s.record(i+1, status)
		if err := s.Create(s.ctx, r); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func (s *shelf) get(revision int) *Record {
	s.t.Helper()
	r, err := s.Get(s.ctx, s.ns, "shop", revision)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// names of all Secrets in the namespace.
func (s *shelf) names() []string {
	s.t.Helper()
	list, err := s.secrets.CoreV1().Secrets(s.ns).List(s.ctx, metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, item := range list.Items {
		out = append(out, item.Name)
	}
	return out
}

// history is what HistoryMeta tells, as "1 superseded, 2 deployed".
func (s *shelf) history() string {
	s.t.Helper()
	metas, err := s.HistoryMeta(s.ctx, s.ns, "shop")
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, m := range metas {
		out = append(out, fmt.Sprintf("%d %s", m.Revision, m.Status))
	}
	return strings.Join(out, ", ")
}

func TestStoredOnTheCluster(t *testing.T) {
	s := newShelf(t)
	r := s.create(StatusPendingInstall)[0]
	r.Status, r.Description = StatusDeployed, "Install complete"
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	got := s.get(1)
	want := s.record(1, StatusDeployed)
	want.Description, want.Chart.Files, want.ApplyMethod = "Install complete", nil, "csa"
	if d := cmp.Diff(want, got, plain); d != "" {
		t.Errorf("stored and read (-want +got):\n%s", d)
	}

	metas, err := s.Newest(s.ctx, s.ns, false)
	if err != nil || len(metas) != 1 {
		t.Fatalf("listed %v, %v", metas, err)
	}
	if time.Since(metas[0].Written).Abs() > time.Hour {
		t.Errorf("written %v", metas[0].Written)
	}
	if d := cmp.Diff(got.Meta(), metas[0]); d != "" {
		t.Errorf("what the metadata tells (-body +metadata):\n%s", d)
	}
}

// The newest revision of a release stands for it, unless it is superseded and
// those are not asked for.
func TestNewest(t *testing.T) {
	s := newShelf(t)
	s.create(StatusSuperseded, StatusDeployed, StatusFailed, StatusSuperseded)
	for superseded, want := range map[bool]int{false: 3, true: 4} {
		metas, err := s.Newest(s.ctx, s.ns, superseded)
		if err != nil || len(metas) != 1 || metas[0].Revision != want {
			t.Errorf("superseded %v: %+v, %v; want revision %d", superseded, metas, err, want)
		}
	}
}

// Bodies are read for what is wanted, and a broken one is reported as such.
func TestBodies(t *testing.T) {
	s := newShelf(t)
	s.create(StatusSuperseded, StatusDeployed, StatusFailed)
	secrets := s.secrets.CoreV1().Secrets(s.ns)
	broken, err := secrets.Get(s.ctx, secretName("shop", 3), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	broken.Data[bodyKey] = []byte("nothing")
	if _, err := secrets.Update(s.ctx, broken, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	wanted := map[int]Meta{}
	for _, revision := range []int{2, 3, 7} {
		wanted[10*revision] = Meta{Namespace: s.ns, Name: "shop", Revision: revision}
	}
	got := map[int]string{}
	if err := s.Bodies(s.ctx, s.ns, false, wanted, func(place int, r *Record, broken *DecodeError) {
		if broken != nil {
			got[place] = "broken"
			return
		}
		got[place] = fmt.Sprint(r.Name, r.Revision, r.Chart.Name)
	}); err != nil {
		t.Fatal(err)
	}
	if want := map[int]string{20: fmt.Sprint("shop", 2, s.get(2).Chart.Name), 30: "broken"}; !maps.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}

func TestOneCreatorWins(t *testing.T) {
	s := newShelf(t)
	const rivals = 20
	var wg sync.WaitGroup
	errs := make([]error, rivals)
	for i := range rivals {
		wg.Go(func() {
			r := s.record(1, StatusPendingInstall)
			r.Cause = fmt.Sprint(i)
			errs[i] = s.Create(s.ctx, r)
		})
	}
	wg.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			t.Errorf("%d and %d both won", winner, i)
		case !errors.Is(err, ErrRevisionExists):
			t.Errorf("%d: %v, want ErrRevisionExists", i, err)
		}
	}
	if got := s.get(1).Cause; got != fmt.Sprint(winner) {
		t.Errorf("%d won, and that of %s is stored", winner, got)
	}
}

func TestCreateAgain(t *testing.T) {
	s := newShelf(t)
	r := s.create(StatusPendingInstall)[0]
	if err := s.Create(s.ctx, r); err != nil {
		t.Errorf("a record does not know its own revision: %v", err)
	}
	r.Status = StatusDeployed
	if err := s.Update(s.ctx, r); err != nil {
		t.Errorf("update after that: %v", err)
	}
	if err := s.Create(s.ctx, s.record(1, StatusPendingInstall)); !errors.Is(err, ErrRevisionExists) {
		t.Errorf("another record: %v, want ErrRevisionExists", err)
	}
}

func TestUpdateIsChecked(t *testing.T) {
	s := newShelf(t)
	s.create(StatusPendingInstall)
	mine, theirs, stale := s.get(1), s.get(1), s.get(1)
	theirs.Status = StatusFailed
	if err := s.Update(s.ctx, theirs); err != nil {
		t.Fatal(err)
	}
	mine.Status = StatusDeployed
	if err := s.Update(s.ctx, mine); !errors.Is(err, ErrChanged) {
		t.Errorf("over another client's change: %v, want ErrChanged", err)
	}
	if got := s.get(1).Status; got != StatusFailed {
		t.Errorf("the refused update left status %s", got)
	}
	stale.Status = StatusFailed
	if err := s.Update(s.ctx, stale); err != nil {
		t.Errorf("the same change a second time, as after a lost response: %v", err)
	}
	if err := s.Delete(s.ctx, s.ns, "shop", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(s.ctx, theirs); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was deleted: %v, want ErrNotFound", err)
	}
	if err := s.Update(s.ctx, s.record(1, StatusDeployed)); !errors.Is(err, ErrNotFound) {
		t.Errorf("of a record that was never stored: %v, want ErrNotFound", err)
	}
}

func TestBrokenRevisionBesideGoodOnes(t *testing.T) {
	s := newShelf(t)
	s.create(StatusSuperseded, StatusSuperseded, StatusDeployed)
	secrets := s.secrets.CoreV1().Secrets(s.ns)
	secret, err := secrets.Get(s.ctx, secretName("shop", 2), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	secret.Data[bodyKey] = secret.Data[bodyKey][:100]
	if _, err := secrets.Update(s.ctx, secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}

	want := "1 superseded, 2 broken, 3 deployed; broken sh.helm.release.v1.shop.v2"
	if got := s.relevant(0); got != want {
		t.Errorf("all revisions: %s, want %s", got, want)
	}
	// The one before takes its place.
	if got := s.relevant(1); got != want {
		t.Errorf("from the broken revision on: %s, want %s", got, want)
	}
	if got, want := s.relevant(2), "3 deployed"; got != want {
		t.Errorf("from the last revision on: %s, want %s", got, want)
	}
	if r, err := s.Last(s.ctx, s.ns, "shop"); err != nil || r.Revision != 3 {
		t.Errorf("last: %v, %v", r, err)
	}
	if got, want := s.history(), "1 superseded, 2 superseded, 3 deployed"; got != want {
		t.Errorf("by metadata: %s, want %s", got, want)
	}
}

func TestLast(t *testing.T) {
	s := newShelf(t)
	if _, err := s.Last(s.ctx, s.ns, "shop"); !errors.Is(err, ErrNotFound) {
		t.Errorf("last of none: %v, want ErrNotFound", err)
	}
	s.create(StatusSuperseded, StatusDeployed, StatusFailed)
	if r, err := s.Last(s.ctx, s.ns, "shop"); err != nil || r.Revision != 3 {
		t.Errorf("last: %v, %v", r, err)
	}
	if _, err := s.Get(s.ctx, s.ns, "shop", 4); !errors.Is(err, ErrNotFound) {
		t.Errorf("get of none: %v, want ErrNotFound", err)
	}
}

func TestTrim(t *testing.T) {
	for name, tc := range map[string]struct {
		statuses []Status
		keep     int
		want     string
	}{
		"nothing to do":           {[]Status{StatusSuperseded, StatusDeployed}, 2, "1 superseded, 2 deployed"},
		"the oldest":              {[]Status{StatusSuperseded, StatusSuperseded, StatusDeployed}, 2, "2 superseded, 3 deployed"},
		"never the deployed":      {[]Status{StatusDeployed, StatusFailed, StatusFailed, StatusFailed}, 2, "1 deployed, 4 failed"},
		"never the newest":        {[]Status{StatusDeployed, StatusPendingUpgrade}, 0, "1 deployed, 2 pending-upgrade"},
		"none kept is one":        {[]Status{StatusSuperseded, StatusDeployed}, -1, "2 deployed"},
		"another release's stays": {[]Status{StatusDeployed}, 1, "1 deployed"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.create(tc.statuses...)
			other := s.record(1, StatusSuperseded)
			other.Name = "shop-db"
			if err := s.Create(s.ctx, other); err != nil {
				t.Fatal(err)
			}
			inventory, err := s.Inventory(s.ctx, s.ns, "shop")
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Trim(s.ctx, s.ns, inventory, tc.keep); err != nil {
				t.Fatal(err)
			}
			if got := s.history(); got != tc.want {
				t.Errorf("left %s, want %s", got, tc.want)
			}
			if _, err := s.Get(s.ctx, s.ns, "shop-db", 1); err != nil {
				t.Errorf("the neighbour: %v", err)
			}
		})
	}
}

// forget deletes all that is stored of the release shop.
func (s *shelf) forget() {
	s.t.Helper()
	inventory, err := s.Inventory(s.ctx, s.ns, "shop")
	if err == nil {
		err = s.Forget(s.ctx, s.ns, inventory)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func TestForget(t *testing.T) {
	s := newShelf(t)
	s.create(StatusSuperseded, StatusDeployed)
	other := s.record(1, StatusDeployed)
	other.Name = "other"
	if err := s.Create(s.ctx, other); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time there is nothing, and that is no error
		s.forget()
		if d := cmp.Diff([]string{secretName("other", 1)}, s.names()); d != "" {
			t.Errorf("left (-want +got):\n%s", d)
		}
	}
}

func TestForeignRevisionOnTheCluster(t *testing.T) {
	s := newShelf(t)
	secret := foreignSecret(base64.StdEncoding.EncodeToString([]byte(foreign)))
	secret.Namespace, secret.ResourceVersion, secret.UID, secret.OwnerReferences, secret.Finalizers = s.ns, "", "", nil, nil
	secrets := s.secrets.CoreV1().Secrets(s.ns)
	if _, err := secrets.Create(s.ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	r, err := s.Get(s.ctx, s.ns, "old", 3)
	if err != nil {
		t.Fatal(err)
	}
	r.Status = StatusSuperseded
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	got, err := secrets.Get(s.ctx, secret.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text(t, got.Data[bodyKey]), []byte("12345678901234567890")) || got.Annotations["example.com/by"] != "a person" || string(got.Data["note"]) != "n" {
		t.Errorf("a status change lost something: %s %v", text(t, got.Data[bodyKey]), got.ObjectMeta)
	}
	if got.Labels["status"] != "superseded" || !maps.Equal(map[string]string{"team": "x"}, r.Labels) {
		t.Errorf("labels %v", got.Labels)
	}
}
