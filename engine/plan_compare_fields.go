package engine

import (
	"fmt"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
)

// fields finds the first field that two changes of one object do not agree on.
// Of hidden values only that they are hidden is compared: that they are the same
// follows from the digests.
func (c *comparison) fields(was, is diff.Change) error {
	differs := func(path, then, now string) error { return c.stale(is.Object, path, then, now) }
	then, now := pathsOf(was.Fields), pathsOf(is.Fields)
	inThen, inNow := setOf(then), setOf(now)
	for i := range max(len(then), len(now)) {
		switch {
		case i < len(now) && !inThen[now[i]]:
			return differs(now[i], "as desired", "different")
		case i < len(then) && !inNow[then[i]]:
			return differs(then[i], "different", "as desired")
		case i >= len(now) || i >= len(then) || then[i] != now[i]:
			return differs("", "of other fields", "different")
		}
		if err := c.field(was.Fields[i], is, i); err != nil {
			return err
		}
	}
	return nil
}

func pathsOf(fields []diff.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = steady(f.Path)
	}
	return out
}

func setOf(texts []string) map[string]bool {
	out := make(map[string]bool, len(texts))
	for _, text := range texts {
		out[text] = true
	}
	return out
}

// field compares one field of the reviewed plan with that of the fresh one, at
// an index of its change.
func (c *comparison) field(a diff.Field, is diff.Change, index int) error {
	b := is.Fields[index]
	differs := func(then, now string) error { return c.stale(is.Object, withoutHashes(b.Path), then, now) }
	switch {
	case !sameValue(a.Live, b.Live):
		return differs(shownValue(a.Live), shownValue(b.Live))
	case !sameValue(a.Base, b.Base):
		return differs("applied as "+shownValue(a.Base), "applied as "+shownValue(b.Base))
	case a.Cause != b.Cause || a.Manager != b.Manager:
		return differs(causeOf(a), causeOf(b))
	case a.Secret != b.Secret || a.Reordered != b.Reordered || a.Immutable != b.Immutable:
		return differs("marked otherwise", "different")
	case sameValue(a.Desired, b.Desired):
		return nil
	}
	if b.Cause == diff.Default {
		if random, err := c.random(is, index); err != nil || random {
			return err
		}
	}
	return differs("to become "+shownValue(a.Desired), "to become "+shownValue(b.Desired))
}

// random reports whether the API server sets the field to another value each
// time that it is asked.
func (c *comparison) random(is diff.Change, index int) (bool, error) {
	again, err := c.again()
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(again.Report.Changes, func(ch diff.Change) bool { return ch.Object == is.Object && ch.Action == is.Action })
	if i < 0 || index >= len(again.Report.Changes[i].Fields) {
		return false, nil
	}
	other := again.Report.Changes[i].Fields[index]
	return other.Path == is.Fields[index].Path && !sameValue(other.Desired, is.Fields[index].Desired), nil
}

// causeOf is the cause of a change as an error shows it.
func causeOf(f diff.Field) string {
	if f.Manager == "" {
		return "a change by cause " + string(f.Cause)
	}
	return fmt.Sprintf("a change by cause %s, of manager %s", f.Cause, f.Manager)
}

// sameValue compares two values of a report, whose placeholders may differ.
func sameValue(a, b any) bool {
	x, errX := digestText(a)
	y, errY := digestText(b)
	return errX == nil && errY == nil && steady(x) == steady(y)
}

// shownValue is a value of a report as an error shows it.
func shownValue(v any) string {
	if v == nil {
		return "absent"
	}
	return withoutHashes(fmt.Sprint(v))
}
