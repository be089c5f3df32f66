package storage

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func markOf(holder string) *Mark {
	return &Mark{Holder: holder, Duration: 15 * time.Second, Renewed: time.Now().Truncate(time.Millisecond)}
}

// A mark is created with a revision, renewed beside updates of the revision, taken
// over by one of several, and goes with the outcome, over every Backend.
func TestMarks(t *testing.T) {
	onEachBackend(t, func(t *testing.T, _ string, s *shelf) {
		r := s.record(1, StatusPendingInstall)
		r.Mark = markOf("a")
		if err := s.Create(s.ctx, r); err != nil || r.Held() == nil {
			t.Fatalf("held: %v, %v", r.Held(), err)
		}
		if got := s.get(1); got.Mark == nil || got.Mark.Holder != "a" || !got.Mark.Renewed.Equal(r.Mark.Renewed) || got.Mark.Duration != r.Mark.Duration {
			t.Errorf("read again: %+v", got.Mark)
		}

		// Renewals and updates follow each other, and none undoes the other.
		waiting := *markOf("a")
		waiting.Waiting = true
		if err := r.Held().Renew(s.ctx, waiting); err != nil {
			t.Fatal(err)
		}
		r.Progress = "noted"
		if err := s.Update(s.ctx, r); err != nil {
			t.Fatal(err)
		}
		if err := r.Held().Renew(s.ctx, waiting); err != nil {
			t.Fatal(err)
		}
		got := s.get(1)
		if got.Progress != "noted" || !got.Mark.Waiting || got.Digest() != r.Digest() {
			t.Errorf("after an update between renewals: %q, %+v", got.Progress, got.Mark)
		}

		// One of two takes it over, and the holder before notices, by an update and
		// by a renewal.
		claim, err := s.Claim(s.ctx, s.ns, "shop", 1)
		if err != nil || claim.Mark.Holder != "a" || !claim.Mark.Waiting || claim.Reserved || claim.Version() != got.Claim().Version() {
			t.Errorf("claim: %+v, %v", claim, err)
		}
		taken, err := s.TakeOver(s.ctx, claim, *markOf("b"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.TakeOver(s.ctx, claim, *markOf("c")); !errors.Is(err, ErrChanged) {
			t.Errorf("a second one takes it over: %v", err)
		}
		held := r.Held()
		if err := s.Update(s.ctx, r); !errors.Is(err, ErrChanged) {
			t.Errorf("the former holder updates it: %v", err)
		}
		if err := held.Renew(s.ctx, waiting); !errors.Is(err, ErrChanged) {
			t.Errorf("the former holder renews it: %v", err)
		}
		if err := held.Release(s.ctx); err != nil || s.get(1).Mark.Holder != "b" {
			t.Errorf("the former holder releases it: %v, %+v", err, s.get(1).Mark)
		}

		// The new holder goes on with it, to its outcome.
		next := s.get(1)
		next.Hold(taken)
		if err := taken.Renew(s.ctx, *markOf("b")); err != nil {
			t.Fatal(err)
		}
		next.Status, next.Mark = StatusDeployed, nil
		if err := s.Update(s.ctx, next); err != nil {
			t.Fatal(err)
		}
		if err := taken.Renew(s.ctx, *markOf("b")); err != nil || next.Held() != nil {
			t.Errorf("the outcome is renewed: %v", err)
		}
		if got := s.get(1); got.Mark != nil || got.Status != StatusDeployed || got.secret.Annotations[annotationHolder] != "" {
			t.Errorf("after the outcome: %+v", got.Mark)
		}
	})
}

// A released mark says that nobody works on the revision.
func TestReleasedMark(t *testing.T) {
	onEachBackend(t, func(t *testing.T, _ string, s *shelf) {
		r := s.record(1, StatusPendingInstall)
		r.Mark = markOf("a")
		if err := s.Create(s.ctx, r); err != nil {
			t.Fatal(err)
		}
		held := r.Held()
		for range 2 {
			if err := held.Release(s.ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := held.Renew(s.ctx, *markOf("a")); err != nil {
			t.Errorf("renewed after its release: %v", err)
		}
		if got := s.get(1); got.Mark == nil || *got.Mark != (Mark{}) {
			t.Errorf("released: %+v", got.Mark)
		}
	})
}

// The number of the next revision can be reserved, by one, and no list has it.
func TestReserve(t *testing.T) {
	onEachBackend(t, func(t *testing.T, _ string, s *shelf) {
		last := s.create(StatusDeployed)[0]
		held, err := s.Reserve(s.ctx, last, 2, *markOf("a"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Reserve(s.ctx, last, 2, *held.mark()); err != nil {
			t.Errorf("reserved again by the same: %v", err)
		}
		var reserved *ReservedError
		if _, err := s.Reserve(s.ctx, last, 2, *markOf("b")); !errors.As(err, &reserved) || reserved.Claim.Mark.Holder != "a" || !reserved.Claim.Reserved {
			t.Errorf("reserved by another: %v", err)
		}
		if err := s.Create(s.ctx, s.record(2, StatusPendingUpgrade)); !errors.As(err, &reserved) || reserved.Claim.Revision != 2 {
			t.Errorf("created: %v", err)
		}
		if err := held.Renew(s.ctx, *markOf("a")); err != nil {
			t.Errorf("renewed: %v", err)
		}
		inventory, err := s.Inventory(s.ctx, s.ns, "shop")
		if err != nil || len(inventory.Revisions) != 1 || len(inventory.Ignored)+len(inventory.parts)+len(inventory.Versions) != 1 {
			t.Errorf("inventory: %+v, %v", inventory, err)
		}
		if _, err := s.Get(s.ctx, s.ns, "shop", 2); err == nil {
			t.Error("it is read as a revision")
		}

		// A dead one is taken over and released, and the number is free.
		claim, err := s.Claim(s.ctx, s.ns, "shop", 2)
		if err != nil {
			t.Fatal(err)
		}
		taken, err := s.TakeOver(s.ctx, claim, *markOf("b"))
		if err != nil {
			t.Fatal(err)
		}
		if err := held.Renew(s.ctx, *markOf("a")); !errors.Is(err, ErrChanged) {
			t.Errorf("renewed by the former holder: %v", err)
		}
		if err := held.Release(s.ctx); err != nil {
			t.Errorf("released by the former holder: %v", err)
		}
		if err := s.Create(s.ctx, s.record(2, StatusPendingUpgrade)); !errors.As(err, &reserved) {
			t.Errorf("created: %v", err)
		}
		if err := taken.Release(s.ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Claim(s.ctx, s.ns, "shop", 2); !errors.Is(err, ErrNotFound) {
			t.Errorf("after the release: %v", err)
		}
		if err := s.Create(s.ctx, s.record(2, StatusPendingUpgrade)); err != nil {
			t.Errorf("created after the release: %v", err)
		}
		if _, err := s.Reserve(s.ctx, last, 2, *markOf("c")); !errors.Is(err, ErrRevisionExists) {
			t.Errorf("reserved although it exists: %v", err)
		}
	})
}

// mark is the one that is stored.
func (h *Held) mark() *Mark { return markIn(h.secret.ObjectMeta) }

// unheard is a Backend whose updates are done and then fail as if another had done
// them, as often as lost says: the response to the first request was lost.
type unheard struct {
	Backend
	lost int
}

func (b *unheard) Update(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	if b.lost > 0 {
		b.lost--
		if _, err := b.Backend.Update(ctx, s); err != nil {
			return nil, err
		}
	}
	return b.Backend.Update(ctx, s) // a conflict, after the first
}

// Writes whose response was lost are known again: those of the mark by its holder,
// those of the revision by what they wrote.
func TestMarksWithLostResponses(t *testing.T) {
	s := newShelf(t)
	backend := &unheard{Backend: NewMemory()}
	s.Store = In(backend, "")
	r := s.record(1, StatusPendingInstall)
	r.Mark = markOf("a")
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	backend.lost = 1
	if err := r.Held().Renew(s.ctx, *markOf("a")); err != nil {
		t.Errorf("renewal: %v", err)
	}
	backend.lost = 1
	r.Progress = "noted"
	if err := s.Update(s.ctx, r); err != nil || s.get(1).Progress != "noted" {
		t.Errorf("update: %v", err)
	}

	// A renewal that was done unseen does not keep the update from being done.
	stored, err := backend.Get(s.ctx, s.ns, secretName("shop", 1))
	if err != nil {
		t.Fatal(err)
	}
	renewed := *markOf("a")
	renewed.Waiting = true
	metav1.SetMetaDataAnnotation(&stored.ObjectMeta, annotationHolder, renewed.text())
	if _, err := backend.Update(s.ctx, stored); err != nil {
		t.Fatal(err)
	}
	r.Status, r.Mark = StatusDeployed, nil
	if err := s.Update(s.ctx, r); err != nil || s.get(1).Status != StatusDeployed {
		t.Errorf("update after an unseen renewal: %v", err)
	}
}

// interrupted is a Backend whose first create is done, and then said to be done
// already: it was sent again after something happened in between.
type interrupted struct {
	Backend
	between func()
}

func (b *interrupted) Create(ctx context.Context, s *corev1.Secret) (*corev1.Secret, error) {
	if do := b.between; do != nil {
		b.between = nil
		if _, err := b.Backend.Create(ctx, s); err != nil {
			return nil, err
		}
		do()
	}
	return b.Backend.Create(ctx, s)
}

// A revision that was taken over before its creator has seen a response is not the
// creator's.
func TestCreatedAndTakenOver(t *testing.T) {
	s := newShelf(t)
	memory := NewMemory()
	other := In(memory, "")
	var taken *Held
	s.Store = In(&interrupted{memory, func() {
		claim, err := other.Claim(s.ctx, s.ns, "shop", 1)
		if err == nil {
			taken, err = other.TakeOver(s.ctx, claim, *markOf("b"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}}, "")
	r := s.record(1, StatusPendingInstall)
	r.Mark = markOf("a")
	if err := s.Create(s.ctx, r); !errors.Is(err, ErrRevisionExists) || r.Held() != nil {
		t.Errorf("created: %v", err)
	}
	if err := taken.Renew(s.ctx, *markOf("b")); err != nil || s.get(1).Mark.Holder != "b" {
		t.Errorf("renewed by who has taken it over: %v", err)
	}
}

// What other programs write into a held revision stays: an outcome ends the mark, and
// labels are kept when it is renewed.
func TestMarksBesideOtherPrograms(t *testing.T) {
	s := newShelf(t)
	memory := NewMemory()
	s.Store = In(memory, "")
	r := s.record(1, StatusPendingInstall)
	r.Mark = markOf("a")
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	edit := func(label, value string) {
		t.Helper()
		stored, err := memory.Get(s.ctx, s.ns, secretName("shop", 1))
		if err == nil {
			stored.Labels[label] = value
			_, err = memory.Update(s.ctx, stored)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	edit("team", "x")
	if err := r.Held().Renew(s.ctx, *markOf("a")); err != nil || s.get(1).Labels["team"] != "x" {
		t.Errorf("a label of others: %v, %v", err, s.get(1).Labels)
	}
	edit(labelStatus, string(StatusFailed))
	if err := r.Held().Renew(s.ctx, *markOf("a")); !errors.Is(err, ErrChanged) {
		t.Errorf("an outcome of others is renewed: %v", err)
	}
	if err := r.Held().Release(s.ctx); err != nil {
		t.Fatal(err)
	}
	if stored, err := memory.Get(s.ctx, s.ns, secretName("shop", 1)); err != nil || stored.Labels[labelStatus] != string(StatusFailed) {
		t.Errorf("after the release it is %s, %v", stored.Labels[labelStatus], err)
	}
}

// A record is discarded only as this process has left it.
func TestDiscard(t *testing.T) {
	s := newShelf(t)
	s.Store = In(NewMemory(), "")
	r := s.record(1, StatusPendingInstall)
	r.Mark = markOf("a")
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := r.Held().Renew(s.ctx, *markOf("a")); err != nil {
		t.Fatal(err)
	}
	stale := s.get(1)
	stale.Description = "changed"
	if err := s.Update(s.ctx, stale); err != nil {
		t.Fatal(err)
	}
	if err := s.Discard(s.ctx, r); !errors.Is(err, ErrChanged) {
		t.Errorf("discarded although another has changed it: %v", err)
	}
	if err := s.Discard(s.ctx, stale); err != nil {
		t.Error(err)
	}
	if err := s.Discard(s.ctx, stale); err != nil {
		t.Errorf("discarded again: %v", err)
	}
}
