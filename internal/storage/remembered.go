package storage

import (
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/lru"
)

const (
	// rememberedReleases and rememberedBytes bound what a Store remembers.
	rememberedReleases = 4096
	rememberedBytes    = 16 << 20
	// rememberedEach bounds one record: what takes longer to read than to ask for
	// is read again.
	rememberedEach = 64 << 10
)

// remembered are the records that a Store has read or written last, of the releases
// that it was asked for last. They only stand for reading a record that was listed
// with the same resourceVersion. It is safe for concurrent use.
type remembered struct {
	mu       sync.Mutex
	releases *lru.Cache // of []*corev1.Secret, by place
	bytes    int
}

func newRemembered() *remembered {
	r := &remembered{}
	r.releases = lru.NewWithEvictionFunc(rememberedReleases, func(_ lru.Key, records any) { r.bytes -= sizeOf(records.([]*corev1.Secret)) })
	return r
}

// knows reports whether there are records of a release, and all have been deployed.
func (r *remembered) knows(namespace, name string) bool {
	records := r.of(namespace, name)
	return len(records) > 0 && !slices.ContainsFunc(records, func(s *corev1.Secret) bool { return s.Labels[labelStatus] != string(StatusDeployed) })
}

func (r *remembered) of(namespace, name string) []*corev1.Secret {
	r.mu.Lock()
	defer r.mu.Unlock()
	records, _ := r.releases.Get(place{namespace, name})
	out, _ := records.([]*corev1.Secret)
	return out
}

// set remembers a record in place of another one of its name. Those that no
// operation starts from, since a later one was healthy, are forgotten.
func (r *remembered) set(s *corev1.Secret) {
	name := s.Labels[labelName]
	if s.Labels[labelOwner] != ownerHelm || name == "" {
		return
	}
	r.change(place{s.Namespace, name}, func(records []*corev1.Secret) []*corev1.Secret {
		records = without(records, s.Name)
		status := Status(s.Labels[labelStatus])
		if size(s) > rememberedEach || status != StatusDeployed && !status.Unfinished() {
			return records
		}
		return append(records, s)
	})
}

// drop forgets a record.
func (r *remembered) drop(namespace, secret string) {
	rest, ok := strings.CutPrefix(secret, revisionPrefix)
	if i := strings.LastIndex(rest, ".v"); ok && i > 0 {
		r.change(place{namespace, rest[:i]}, func(records []*corev1.Secret) []*corev1.Secret { return without(records, secret) })
	}
}

func without(records []*corev1.Secret, name string) []*corev1.Secret {
	return slices.DeleteFunc(slices.Clone(records), func(s *corev1.Secret) bool { return s.Name == name })
}

func (r *remembered) change(at place, do func([]*corev1.Secret) []*corev1.Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	have, _ := r.releases.Get(at)
	before, _ := have.([]*corev1.Secret)
	after := do(before)
	if len(before) > 0 {
		r.releases.Remove(at)
	}
	if len(after) == 0 {
		return
	}
	r.releases.Add(at, after)
	for r.bytes += sizeOf(after); r.bytes > rememberedBytes; {
		r.releases.RemoveOldest()
	}
}

func sizeOf(records []*corev1.Secret) int {
	n := 0
	for _, s := range records {
		n += size(s)
	}
	return n
}

func size(s *corev1.Secret) int {
	n := 1 << 10 // what every record has
	for _, data := range s.Data {
		n += len(data)
	}
	for _, text := range s.Annotations {
		n += len(text)
	}
	for _, f := range s.ManagedFields {
		if f.FieldsV1 != nil {
			n += len(f.FieldsV1.GetRawBytes())
		}
	}
	return n
}
