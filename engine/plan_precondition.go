package engine

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// preconditions are those of all live objects that the plan changes. Values that
// the report shows are compared there, and need none.
func preconditions(p *Plan, d digester) ([]Precondition, error) {
	var out []Precondition
	for _, s := range p.work.steps {
		live := s.object.live
		if live == nil || !s.change.Changed() {
			continue
		}
		pre := Precondition{Object: s.change.Object, Identity: d.identity(s.change.Object, live.GetUID())}
		for _, f := range s.change.Fields {
			if !f.Secret {
				continue
			}
			if d.key == nil {
				// The hidden value has no digest, so nothing of the object may change.
				pre.ResourceVersion = live.GetResourceVersion()
				continue
			}
			text, err := liveText(live, f)
			if err != nil {
				return nil, err
			}
			path := withoutHashes(f.Path)
			pre.Fields = append(pre.Fields, FieldPrecondition{Path: path, Digest: d.digest(s.change.Object.String()+" "+path, text)})
		}
		out = append(out, pre)
	}
	return out, nil
}

// liveText is the live value of a field, not redacted. A field whose name is
// hidden cannot be looked up: the whole object stands for it.
func liveText(live *unstructured.Unstructured, f diff.Field) (string, error) {
	if strings.Contains(withoutHashes(f.Path), "[secret]") {
		return digestText(withoutServerFields(live).Object)
	}
	v := f.Live
	if !f.Reordered {
		var err error
		if v, _, err = diff.Lookup(live, f.Path); err != nil {
			return "", fmt.Errorf("look up %s: %w", f.Path, err)
		}
	}
	return digestText(v)
}

// live returns an error if an object of the plan's preconditions is gone, is
// another one of its name, or has another hidden value than it had.
func (c *comparison) live() error {
	live := map[diff.Object]bool{}
	for _, s := range c.now.work.steps {
		live[s.change.Object] = s.object.live != nil
	}
	fresh := map[diff.Object]Precondition{}
	for _, pre := range c.now.Preconditions {
		fresh[pre.Object] = pre
	}
	for _, pre := range c.then.Preconditions {
		if !live[pre.Object] {
			return c.stale(pre.Object, "", "present", "gone")
		}
		is, ok := fresh[pre.Object]
		if ok && is.Identity != pre.Identity {
			return c.stale(pre.Object, "", "another object of this name", "one that was created since")
		}
		for i, f := range is.Fields {
			if i < len(pre.Fields) && pre.Fields[i].Path == f.Path && pre.Fields[i].Digest != f.Digest {
				return c.stale(pre.Object, f.Path, "one secret value", "another secret value")
			}
		}
	}
	return nil
}

// preconditions returns an error unless the preconditions are those of the
// fresh plan: these very ones, and no others.
func (c *comparison) preconditions() error {
	if len(c.then.Preconditions) != len(c.now.Preconditions) {
		return c.stale(diff.Object{}, "preconditions", "of another number", "different")
	}
	for i, now := range c.now.Preconditions {
		then := c.then.Preconditions[i]
		if then.Object != now.Object || then.Identity != now.Identity || len(then.Fields) != len(now.Fields) {
			return c.stale(now.Object, "precondition", "as planned", "different")
		}
		if then.ResourceVersion != now.ResourceVersion {
			return c.stale(now.Object, "metadata.resourceVersion", "another one", "different; values that are hidden may have changed")
		}
		for j, is := range now.Fields {
			was := then.Fields[j]
			if was.Path != is.Path {
				return c.stale(now.Object, is.Path, "not part of it", "part of it")
			}
			if was.Digest != is.Digest {
				return c.stale(now.Object, is.Path, "one secret value", "another secret value")
			}
		}
	}
	return nil
}
