package storage

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// counted is a Backend that counts the bodies that are read.
type counted struct {
	Backend
	bodies []string
}

func (b *counted) Get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	b.bodies = append(b.bodies, name)
	return b.Backend.Get(ctx, namespace, name)
}

func (b *counted) List(ctx context.Context, namespace string, opts metav1.ListOptions) (*corev1.SecretList, error) {
	b.bodies = append(b.bodies, "list")
	return b.Backend.List(ctx, namespace, opts)
}

// What a Store has written or read last is not read again, unless it has changed.
func TestRemembered(t *testing.T) {
	s := newShelf(t)
	memory := NewMemory()
	backend := &counted{Backend: memory}
	s.Store = In(backend, "")
	other := In(memory, "")
	wantBodies := func(what, want, bodies string) {
		t.Helper()
		if got := s.relevant(0); got != want {
			t.Errorf("%s: read %s, want %s", what, got, want)
		}
		if got := strings.Join(backend.bodies, ", "); got != bodies {
			t.Errorf("%s: the bodies of %q are read, want %q", what, got, bodies)
		}
		backend.bodies = nil
	}
	if s.Knows(s.ns, "shop") {
		t.Error("it knows a release that is not there")
	}
	r := s.record(1, StatusPendingInstall)
	if err := s.Create(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	if s.Knows(s.ns, "shop") {
		t.Error("it knows a release that is not deployed")
	}
	wantBodies("created", "1 pending-install", "")
	r.Status = StatusDeployed
	if err := s.Update(s.ctx, r); err != nil {
		t.Fatal(err)
	}
	wantBodies("updated", "1 deployed", "")
	if !s.Knows(s.ns, "shop") || s.Knows(s.ns, "sho") || s.Knows("elsewhere", "shop") {
		t.Error("it does not know the release, or others")
	}

	foreign, err := other.Get(s.ctx, s.ns, "shop", 1)
	if err != nil {
		t.Fatal(err)
	}
	foreign.Status = StatusUninstalling
	if err := other.Update(s.ctx, foreign); err != nil {
		t.Fatal(err)
	}
	wantBodies("changed by another", "1 uninstalling", secretName("shop", 1))
	wantBodies("read again", "1 uninstalling", "")

	// A revision that nothing starts from is not kept, and one that is deleted.
	if foreign, err = s.Get(s.ctx, s.ns, "shop", 1); err != nil {
		t.Fatal(err)
	}
	foreign.Status = StatusSuperseded
	if err := s.Update(s.ctx, foreign); err != nil {
		t.Fatal(err)
	}
	if s.Knows(s.ns, "shop") {
		t.Error("a superseded revision is remembered")
	}
	if err := s.Create(s.ctx, s.record(2, StatusDeployed)); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(s.ctx, s.ns, "shop", 2); err != nil {
		t.Fatal(err)
	}
	if s.Knows(s.ns, "shop") {
		t.Error("a deleted revision is remembered")
	}
}

// What is remembered is bounded, and the releases that were used last are kept.
func TestRememberedIsBounded(t *testing.T) {
	r := newRemembered()
	secret := func(release string, size int) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "a", Name: secretName(release, 1),
				Labels: map[string]string{labelOwner: ownerHelm, labelName: release, labelStatus: string(StatusDeployed)},
			},
			Data: map[string][]byte{bodyKey: make([]byte, size)},
		}
	}
	const each = 48 << 10
	for i := range 2 * rememberedBytes / each {
		r.set(secret(fmt.Sprintf("r%d", i), each))
		r.of("a", "r0") // is used all the time
	}
	if r.bytes > rememberedBytes || r.bytes < rememberedBytes/2 {
		t.Errorf("%d bytes are remembered", r.bytes)
	}
	if !r.knows("a", "r0") || r.knows("a", "r1") {
		t.Error("not those that were used last are kept")
	}
	r.set(secret("big", rememberedEach+1))
	if r.knows("a", "big") {
		t.Error("a big one is remembered")
	}
	for i := range 2 * rememberedBytes / each {
		r.drop("a", secretName(fmt.Sprintf("r%d", i), 1))
	}
	if r.bytes != 0 || r.releases.Len() != 0 {
		t.Errorf("%d bytes of %d releases are left", r.bytes, r.releases.Len())
	}
}
