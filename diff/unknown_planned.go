package diff

// Planned returns the value at path once the change is applied, in the notation of
// [Field], as far as the change itself says so. touched is false if it leaves what
// is at path as it is. known is false if a part of the value is Unknown or hidden,
// or is filled in by the API server, which may decide otherwise then. A value that
// the change removes is known, and nil.
func (c Change) Planned(path string) (value any, known, touched bool, err error) {
	p, err := parsePath(path)
	if err != nil {
		return nil, false, false, err
	}
	known = true
	for _, f := range c.Fields {
		q, err := parsePath(f.Path)
		if err != nil {
			return nil, false, false, err
		}
		n := min(len(p), len(q))
		if !matchPath(q[:n], p[:n]) {
			continue
		}
		touched = true
		if len(q) > len(p) || f.Cause == Default || f.Secret {
			known = false
			continue
		}
		value = down(f.Desired, p[len(q):])
		known = known && !hasUnknown(value)
	}
	if !touched || !known {
		return nil, false, touched, nil
	}
	return value, true, true, nil
}
