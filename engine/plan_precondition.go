package engine

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// preconditions are those of all live objects that the plan changes.
func preconditions(p *Plan) ([]Precondition, error) {
	var out []Precondition
	for _, s := range p.work.steps {
		live := s.object.live
		if live == nil || !s.change.Changed() {
			continue
		}
		identity, err := keyedDigest(p.Nonce, live.GetUID(), "identity", "")
		if err != nil {
			return nil, err
		}
		pre := Precondition{Object: s.change.Object, Identity: identity}
		for _, f := range s.change.Fields {
			text, err := liveText(live, f)
			if err != nil {
				return nil, err
			}
			digest, err := keyedDigest(p.Nonce, live.GetUID(), f.Path, text)
			if err != nil {
				return nil, err
			}
			pre.Fields = append(pre.Fields, FieldPrecondition{Path: f.Path, Digest: digest})
		}
		out = append(out, pre)
	}
	return out, nil
}

// liveText is the live value of a field, not redacted. The path of a field whose
// name is secret cannot be looked up; such a field is identified by its path.
func liveText(live *unstructured.Unstructured, f diff.Field) (string, error) {
	v := f.Live
	if !f.Reordered {
		var err error
		if v, _, err = diff.Lookup(live, f.Path); err != nil {
			return "", fmt.Errorf("look up %s: %w", f.Path, err)
		}
	}
	return digestText(v)
}

// checkPreconditions compares the plan's preconditions with a plan that was made
// just now: nil or a *StalePlanError.
func (p *Plan) checkPreconditions(now *Plan) error {
	objects := map[diff.Object]*object{}
	for _, s := range now.work.steps {
		objects[s.object.id] = s.object
	}
	shown := map[diff.Object]map[string]diff.Field{}
	for _, c := range p.Report.Changes {
		shown[c.Object] = map[string]diff.Field{}
		for _, f := range c.Fields {
			shown[c.Object][f.Path] = f
		}
	}
	for _, pre := range p.Preconditions {
		o := objects[pre.Object]
		if o == nil || o.live == nil {
			return &StalePlanError{Key: p.Key, Object: pre.Object, Then: "present", Now: "gone"}
		}
		uid := o.live.GetUID()
		if same, err := matchesDigest(pre.Identity, p.Nonce, uid, "identity", ""); err != nil {
			return err
		} else if !same {
			return &StalePlanError{Key: p.Key, Object: pre.Object, Then: "another object of this name", Now: "one that was created since"}
		}
		for _, want := range pre.Fields {
			f := shown[pre.Object][want.Path]
			text, err := liveText(o.live, f)
			if err != nil {
				return err
			}
			same, err := matchesDigest(want.Digest, p.Nonce, uid, want.Path, text)
			if err != nil {
				return err
			}
			if same || f.Reordered { // the plans are compared by its order
				continue
			}
			live, _, err := diff.Lookup(o.live, want.Path)
			if err != nil {
				return err
			}
			is := now.work.redactor.Change(diff.Change{Object: pre.Object, Fields: []diff.Field{{Path: want.Path, Live: live}}}).Fields[0]
			return &StalePlanError{Key: p.Key, Object: pre.Object, Field: want.Path, Then: shownValue(f, "one"), Now: shownValue(is, "another")}
		}
	}
	return nil
}

// shownValue is a live value as an error shows it.
func shownValue(f diff.Field, which string) string {
	switch {
	case f.Live == nil:
		return "absent"
	case f.Secret:
		return which + " secret value"
	}
	return fmt.Sprint(f.Live)
}
