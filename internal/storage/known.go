package storage

// Known is what a Store has read or written last of the newest revision of a
// release that it remembers.
type Known struct{ secret, version string }

// IsZero reports whether the Store remembers none.
func (n Known) IsZero() bool { return n.secret == "" }

// Remembered returns what the Store remembers of a release.
func (s *Store) Remembered(namespace, name string) Known {
	var out Known
	last := 0
	for _, secret := range s.records.of(namespace, name) {
		if m, ok := metaOf(secret.ObjectMeta); ok && m.Revision > last {
			last, out = m.Revision, Known{secret.Name, secret.ResourceVersion}
		}
	}
	return out
}

// IsNewestOf reports whether an inventory has that revision as its newest one, as it
// was, and no number after it is reserved. Then nothing was recorded between the two.
func (n Known) IsNewestOf(i Inventory) bool {
	if len(i.Revisions) == 0 || len(i.Reserved) > 0 {
		return false
	}
	m := i.Revisions[len(i.Revisions)-1]
	return n.secret == secretName(m.Name, m.Revision) && n.version == i.Versions[n.secret]
}
