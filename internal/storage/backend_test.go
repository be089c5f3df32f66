package storage

import (
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
)

// backends are all that there are, over the cluster of a shelf.
var backends = map[string]func(s *shelf) Backend{
	"Secrets":    func(s *shelf) Backend { return s.backend },
	"ConfigMaps": func(s *shelf) Backend { return configMaps{s.secrets, metadata.NewForConfigOrDie(s.cfg)} },
	"memory":     func(*shelf) Backend { return NewMemory() },
	"placed":     func(*shelf) Backend { return placed{NewMemory(), "elsewhere"} },
}

// onEachBackend runs a test on a Store over each.
func onEachBackend(t *testing.T, test func(t *testing.T, name string, s *shelf)) {
	for name, open := range backends {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.Store = In(open(s), "")
			s.limit = testLimit
			test(t, name, s)
		})
	}
}

// What holds of a Store over Secrets holds over every Backend: revisions are
// created once, updated if unchanged, found by their labels, continued where they
// are too big, trimmed and forgotten.
func TestBackends(t *testing.T) {
	onEachBackend(t, func(t *testing.T, name string, s *shelf) {
		first := s.create(StatusDeployed)[0]
		if err := s.Create(s.ctx, s.record(1, StatusDeployed)); !errors.Is(err, ErrRevisionExists) {
			t.Errorf("a second first revision: %v", err)
		}
		other := s.get(1)
		first.Status = StatusSuperseded
		if err := s.Update(s.ctx, first); err != nil {
			t.Fatal(err)
		}
		other.Status = StatusFailed
		if err := s.Update(s.ctx, other); !errors.Is(err, ErrChanged) {
			t.Errorf("an update of what has changed: %v", err)
		}
		big := s.big(2, StatusDeployed)
		if err := s.Create(s.ctx, big); err != nil {
			t.Fatal(err)
		}
		if got := s.get(2); !got.Manifest.Equal(big.Manifest) || got.continued.Parts == 0 {
			t.Errorf("the big revision came back with %d bytes in %d parts", got.Manifest.Len(), got.continued.Parts)
		}
		if keyed := s.get(2).Key() != nil; keyed != (name != "ConfigMaps") {
			t.Errorf("there is a key: %v", keyed)
		}
		if got := s.history(); got != "1 superseded, 2 deployed" {
			t.Errorf("history: %s", got)
		}
		inventory, err := s.Inventory(s.ctx, s.ns, "shop")
		if err != nil {
			t.Fatal(err)
		}
		records, _, broken, err := s.Relevant(s.ctx, inventory, 1, 2)
		if err != nil || len(broken) > 0 || len(records) != 1 || records[0].Revision != 2 || records[0].Namespace != s.ns {
			t.Errorf("relevant: %v, %v, %v", records, broken, err)
		}
		newest, err := s.Newest(s.ctx, s.ns, false)
		if err != nil || len(newest) != 1 || newest[0].Namespace != s.ns || newest[0].Revision != 2 {
			t.Errorf("newest: %+v, %v", newest, err)
		}
		if err := s.Trim(s.ctx, s.ns, inventory, 1); err != nil {
			t.Fatal(err)
		}
		if got := s.history(); got != "2 deployed" {
			t.Errorf("trimmed to %s", got)
		}
		if err := s.Forget(s.ctx, s.ns, inventory); err != nil {
			t.Fatal(err)
		}
		if left, err := s.backend.ListMeta(s.ctx, s.ns, metav1.ListOptions{}); err != nil || slices.ContainsFunc(left.Items, func(o metav1.PartialObjectMetadata) bool { return o.Labels[labelName] == "shop" }) {
			t.Errorf("left: %v, %v", left, err)
		}
		if _, err := s.Get(s.ctx, s.ns, "shop", 2); !errors.Is(err, ErrNotFound) {
			t.Errorf("after all was forgotten: %v", err)
		}
	})
}

// The memory refuses what the API server refuses, and shares nothing with its
// callers.
func TestMemory(t *testing.T) {
	m := NewMemory()
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b", Labels: map[string]string{"x": "y"}}}
	created, err := m.Create(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	s.Labels["x"], created.Labels["x"] = "z", "z"
	if got, err := m.Get(t.Context(), "a", "b"); err != nil || got.Labels["x"] != "y" || got.UID == "" {
		t.Errorf("kept %v, %v", got, err)
	}
	if _, err := m.Create(t.Context(), s); !apierrors.IsAlreadyExists(err) {
		t.Errorf("created twice: %v", err)
	}
	stale := created.DeepCopy()
	if _, err := m.Update(t.Context(), created); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Update(t.Context(), stale); !apierrors.IsConflict(err) {
		t.Errorf("updated what has changed: %v", err)
	}
	if list, err := m.List(t.Context(), "", metav1.ListOptions{LabelSelector: "x in (z,w)"}); err != nil || len(list.Items) != 1 {
		t.Errorf("listed %v, %v", list, err)
	}
	if _, err := m.List(t.Context(), "", metav1.ListOptions{LabelSelector: "x=" + "=="}); err == nil {
		t.Error("a broken selector is accepted")
	}
	other := types.UID("other")
	if err := m.Delete(t.Context(), "a", "b", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &other}}); !apierrors.IsConflict(err) {
		t.Errorf("deleted another: %v", err)
	}
	if err := m.Delete(t.Context(), "a", "b", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Update(t.Context(), created); !apierrors.IsNotFound(err) {
		t.Errorf("updated what is gone: %v", err)
	}
}
