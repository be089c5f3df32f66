package diff

// verdict is why a field changes, and which other manager owns it.
type verdict struct {
	cause Cause
	owner *owner
}

// cause returns why live l becomes m at the current path of c. It is called only
// where they differ. The first case that applies:
//
//	desired, and another manager owns the live value, which differs → Conflict
//	desired, and live equals it already: the server changes it      → Default
//	desired, and not as it was applied last, or created             → Chart
//	desired, as it was applied last, and live differs from that     → Drift
//	not desired, but applied earlier                                → Removed
//	otherwise                                                       → Default
func (c *comparer) cause(b, l, d, m any) verdict {
	if c.whole != nil {
		return *c.whole
	}
	if d == nil {
		if b != nil || l != nil && c.owners.mine(c.at) {
			return verdict{cause: Removed}
		}
		return verdict{cause: Default}
	}
	if c.equal(d, l) {
		return verdict{cause: Default}
	}
	o := c.owners.other(c.at)
	if l == nil {
		o = nil // an absent field has no owner
	}
	switch {
	case o != nil && !c.force && m != nil && (c.takes == nil || !c.takes(o.manager, c.at.String())):
		return verdict{Conflict, o}
	case !c.equal(d, b), c.created: // that the object is missing is one fact, which its action says
		return verdict{Chart, o}
	case !c.equal(l, b):
		return verdict{Drift, o}
	}
	return verdict{cause: Default}
}
