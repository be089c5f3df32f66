package engine

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// Precondition is what a plan takes for granted of a living object that it
// changes.
type Precondition struct {
	Object diff.Object `json:"object"`
	// Identity is a seal of the object's UID: another object of the same name
	// is not the one that was planned for.
	Identity string `json:"identity"`
	// Fields are seals of the live values that the plan changes, by path.
	Fields []FieldPrecondition `json:"fields,omitempty"`
}

// FieldPrecondition is what a plan takes for granted of one field.
type FieldPrecondition struct {
	Path string `json:"path"`
	// Seal is a keyed digest of the live value; see docs/plans.md. It tells
	// nothing about the value to whoever cannot read the object.
	Seal string `json:"seal"`
}

// preconditions are those of all living objects that the plan changes.
func preconditions(p *Plan) ([]Precondition, error) {
	var out []Precondition
	for _, it := range p.work.items {
		if it.live == nil || !it.change.Changed() {
			continue
		}
		identity, err := seal(p.Nonce, it.live.GetUID(), "identity", "")
		if err != nil {
			return nil, err
		}
		pre := Precondition{Object: it.change.Object, Identity: identity}
		for _, f := range it.change.Fields {
			text, err := liveText(it.live, f)
			if err != nil {
				return nil, err
			}
			s, err := seal(p.Nonce, it.live.GetUID(), f.Path, text)
			if err != nil {
				return nil, err
			}
			pre.Fields = append(pre.Fields, FieldPrecondition{Path: f.Path, Seal: s})
		}
		out = append(out, pre)
	}
	return out, nil
}

// liveText is the live value of a field, not redacted. The path of a field
// whose very name is secret leads nowhere; such a field is known by its path.
func liveText(live *unstructured.Unstructured, f diff.Field) (string, error) {
	v := f.Live
	if !f.Reordered {
		var err error
		if v, _, err = diff.Lookup(live, f.Path); err != nil {
			return "", fmt.Errorf("look up %s: %w", f.Path, err)
		}
	}
	return sealable(v)
}

// hold says whether the plan's preconditions still hold, by the items of a
// plan that was made just now: nil or a *StalePlanError.
func (p *Plan) hold(now *Plan) error {
	items := map[diff.Object]*item{}
	for _, it := range now.work.items {
		items[it.object] = it
	}
	shown := map[diff.Object]map[string]diff.Field{}
	for _, c := range p.Report.Changes {
		shown[c.Object] = map[string]diff.Field{}
		for _, f := range c.Fields {
			shown[c.Object][f.Path] = f
		}
	}
	for _, pre := range p.Preconditions {
		it := items[pre.Object]
		if it == nil || it.live == nil {
			return &StalePlanError{Key: p.Key, Object: pre.Object, Then: "there", Now: "gone"}
		}
		uid := it.live.GetUID()
		if same, err := sealed(pre.Identity, p.Nonce, uid, "identity", ""); err != nil {
			return err
		} else if !same {
			return &StalePlanError{Key: p.Key, Object: pre.Object, Then: "another object of this name", Now: "one that was created since"}
		}
		for _, want := range pre.Fields {
			f := shown[pre.Object][want.Path]
			text, err := liveText(it.live, f)
			if err != nil {
				return err
			}
			same, err := sealed(want.Seal, p.Nonce, uid, want.Path, text)
			if err != nil {
				return err
			}
			if same || f.Reordered { // whose order the comparison of the plans sees to
				continue
			}
			live, _, err := diff.Lookup(it.live, want.Path)
			if err != nil {
				return err
			}
			is := now.work.redactor.Change(diff.Change{Object: pre.Object, Fields: []diff.Field{{Path: want.Path, Live: live}}}).Fields[0]
			return &StalePlanError{Key: p.Key, Object: pre.Object, Field: want.Path, Then: shownValue(f, "one"), Now: shownValue(is, "another")}
		}
	}
	return nil
}

// shownValue is a live value as an error tells it.
func shownValue(f diff.Field, which string) string {
	switch {
	case f.Live == nil:
		return "absent"
	case f.Secret:
		return which + " secret value"
	}
	return fmt.Sprint(f.Live)
}
