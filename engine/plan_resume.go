package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
)

// A plan that is applied leaves its identity in the revision that it records, so
// that the same plan, applied again, goes on with that revision.

// identity is that of the plan with all that it says, apart from its signature;
// empty for a plan that was not made for review.
func (p *Plan) identity() (string, error) {
	if p.Nonce == "" {
		return "", nil
	}
	unsigned := *p
	unsigned.Signature = nil
	text, err := json.Marshal(&unsigned)
	if err != nil {
		return "", fmt.Errorf("encode: %w", err)
	}
	sum := sha256.Sum256(text)
	return p.Nonce + "/" + hex.EncodeToString(sum[:]), nil
}

func (a application) reviewed() reviewed { return reviewed{a.identity, a.From, a.To} }

// uninstalledBy returns a plan that does nothing if the plan has uninstalled the
// release before, and its history was kept; otherwise the error.
func (e *Engine) uninstalledBy(ctx context.Context, a application, notFound error) (*Plan, error) {
	h, err := e.readHistory(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	if !h.resumes(a.reviewed()) {
		return nil, notFound
	}
	return &Plan{Kind: PlanUninstall, Key: a.Key, work: &work{history: h, reviewed: a.identity}}, nil
}

// remainder returns a *StalePlanError unless the fresh plan is what is left of
// the reviewed one, whose revision is the newest. All that the reviewed plan says
// was compared when that was recorded, so that what matters is what has changed
// since.
func (c *comparison) remainder() error {
	last := c.now.work.history.last
	if record := c.now.work.record; record != nil && !sameContent(last, record) {
		return c.stale(diff.Object{}, "manifest or values", fmt.Sprintf("as recorded in revision %d", last.Revision), "different")
	}
	if c.now.work.isApplied() {
		return nil
	}
	if c.then.KeyedBy != c.now.KeyedBy {
		return digestKeyError(c.now.Key, c.then.KeyedBy, c.now.KeyedBy)
	}
	for _, is := range c.now.Report.Changes {
		if !is.Changed() {
			continue
		}
		i := slices.IndexFunc(c.then.Report.Changes, func(was diff.Change) bool { return was.Object == is.Object })
		if i < 0 {
			return c.stale(is.Object, "", "not part of it", string(is.Action))
		}
		if err := c.left(c.then.Report.Changes[i], is); err != nil {
			return err
		}
	}
	return c.leftPreconditions()
}

// left compares what is left to do about an object with all that was to be done.
// What the object becomes follows from the recorded revision; what it is must be
// what it was.
func (c *comparison) left(was, is diff.Change) error {
	switch {
	case was.Action == diff.Replaced && is.Action == diff.Created: // it was deleted already
		return nil
	case was.Action == diff.Adopted && is.Action == diff.Updated: // its marks are there already
	case was.Action != is.Action:
		return c.stale(is.Object, "", string(was.Action), string(is.Action))
	}
	if is.Action == diff.Created {
		return nil
	}
	if was.Local && !is.Local { // compared with what is computed in the same way
		var err error
		if is, err = c.unconfirmed(was, is); err != nil {
			return err
		}
	}
	live := make(map[string]diff.Field, len(was.Fields))
	for _, f := range was.Fields {
		live[steady(f.Path)] = f
	}
	for _, f := range is.Fields {
		then, ok := live[steady(f.Path)]
		switch {
		case !ok:
			return c.stale(is.Object, withoutHashes(f.Path), "as desired", "different")
		case then.Secret != f.Secret || !f.Secret && !sameValue(then.Live, f.Live):
			return c.stale(is.Object, withoutHashes(f.Path), shownValue(then.Live), shownValue(f.Live))
		}
	}
	return nil
}

// leftPreconditions compares the preconditions of what is left to do with those
// of all that was.
func (c *comparison) leftPreconditions() error {
	then := make(map[diff.Object]Precondition, len(c.then.Preconditions))
	for _, pre := range c.then.Preconditions {
		then[pre.Object] = pre
	}
	for _, is := range c.now.Preconditions {
		was, ok := then[is.Object]
		if !ok || was.Identity != is.Identity {
			return c.stale(is.Object, "", "another object of this name, or none", "one that was created since")
		}
		if was.ResourceVersion != is.ResourceVersion {
			return c.stale(is.Object, "metadata.resourceVersion", "another one", "different; values that are hidden may have changed")
		}
		for _, f := range is.Fields {
			if !slices.Contains(was.Fields, f) {
				return c.stale(is.Object, f.Path, "one secret value", "another secret value")
			}
		}
	}
	return nil
}
