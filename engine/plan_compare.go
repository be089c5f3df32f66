package engine

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/fairlead-dev/fairlead/diff"
)

// comparison compares a plan that was reviewed with one that was made just now.
// Nothing that the reviewed one says is trusted: whatever would be done is
// compared with what it says, and an error shows of the present only what the
// fresh plan shows.
type comparison struct {
	then, now *Plan
	stored    bool // then was read from JSON
	noHooks   bool
	// local makes the plan again without dry-runs, to be compared with changes
	// that were not confirmed by the API server.
	local func() (*Plan, error)
}

// run returns a *StalePlanError if the fresh plan does anything other than the
// one that was reviewed, and an error that wraps ErrPlanDigest if that cannot be
// decided.
func (c *comparison) run() error {
	for _, step := range []func() error{c.heads, c.digests, c.live, c.changes, c.preconditions, c.hooks, c.texts, c.hidden} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) stale(o diff.Object, field, was, is string) error {
	o = diff.Object{Group: printable(o.Group), Version: printable(o.Version), Kind: printable(o.Kind), Namespace: printable(o.Namespace), Name: printable(o.Name)}
	return &StalePlanError{Key: c.now.Key, Object: o, Field: printable(field), Then: printable(was), Now: printable(is)}
}

// maxShown bounds a text of a stored plan in an error.
const maxShown = 500

// printable is a text of a stored plan as an error shows it: in one line,
// without what a terminal would execute.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if runes := []rune(text); len(runes) > maxShown {
		text = string(runes[:maxShown]) + "…"
	}
	return text
}

// heads compares what the plans say of the release as a whole.
func (c *comparison) heads() error {
	then, now := c.then, c.now
	if then.From != now.From {
		return c.stale(diff.Object{}, "", fmt.Sprintf("at revision %d", then.From), fmt.Sprintf("at revision %d", now.From))
	}
	if then.KeyedBy != now.KeyedBy {
		return digestKeyError(now.Key, then.KeyedBy, now.KeyedBy)
	}
	for _, f := range []struct{ field, was, is string }{
		{"kind", string(then.Kind), string(now.Kind)},
		{"chart", then.Chart, now.Chart},
		{"revision to record", fmt.Sprint(then.To), fmt.Sprint(now.To)},
		{"revision to go back to", fmt.Sprint(then.Target), fmt.Sprint(now.Target)},
		{"title", withoutHashes(then.Report.Title), withoutHashes(now.Report.Title)},
	} {
		if f.was != f.is {
			return c.stale(diff.Object{}, f.field, f.was, f.is)
		}
	}
	if !now.Kind.deploys() && then.Cause != now.Cause || !jsonEqual(then.Rollout, now.Rollout) {
		return c.stale(diff.Object{}, "cause", "as planned", "different")
	}
	return nil
}

// digests compares what the plans do not show.
func (c *comparison) digests() error {
	for _, d := range []struct{ field, was, is string }{
		{"chart " + c.now.Chart, c.then.ChartDigest, c.now.ChartDigest},
		{"values", c.then.ValuesDigest, c.now.ValuesDigest},
		{"manifest", c.then.ManifestDigest, c.now.ManifestDigest},
	} {
		if d.was != d.is {
			return c.stale(diff.Object{}, d.field, "as planned", "different")
		}
	}
	return nil
}

// changes compares the changes that write, which must be the same in the same
// order, and what else is said of their objects.
func (c *comparison) changes() error {
	then, now := changedIn(c.then.Report), changedIn(c.now.Report)
	was, is := objectsOf(then), objectsOf(now)
	for i := range max(len(then), len(now)) {
		switch {
		case i < len(now) && !was[now[i].Object]:
			return c.stale(now[i].Object, "", "not part of it", string(now[i].Action))
		case i < len(then) && !is[then[i].Object]:
			return c.stale(then[i].Object, "", string(then[i].Action), "nothing to do")
		case i >= len(now) || i >= len(then) || then[i].Object != now[i].Object:
			return c.stale(diff.Object{}, "order of changes", "as planned", "different")
		case then[i].Action != now[i].Action:
			return c.stale(now[i].Object, "", string(then[i].Action), string(now[i].Action))
		}
		if err := c.change(then[i], now[i]); err != nil {
			return err
		}
	}
	for _, other := range c.then.Report.Changes {
		if other.Changed() || !is[other.Object] {
			continue
		}
		if !slices.ContainsFunc(c.now.Report.Changes, func(ch diff.Change) bool { return ch.Object == other.Object && ch.Action == other.Action }) {
			return c.stale(other.Object, "", "also "+string(other.Action), "not")
		}
	}
	return nil
}

func changedIn(r diff.Report) []diff.Change {
	return slices.DeleteFunc(slices.Clone(r.Changes), func(ch diff.Change) bool { return !ch.Changed() })
}

func objectsOf(changes []diff.Change) map[diff.Object]bool {
	out := make(map[diff.Object]bool, len(changes))
	for _, ch := range changes {
		out[ch.Object] = true
	}
	return out
}

// change compares what two plans say of one object. What was not confirmed by
// the API server is compared with what is computed without it now, too.
func (c *comparison) change(was, is diff.Change) error {
	if was.Local != is.Local {
		if !c.stored {
			return nil // the very objects that were planned, of which less was asked
		}
		if !was.Local {
			return c.stale(is.Object, "", "confirmed by the API server", "not")
		}
		local, err := c.local()
		if err != nil {
			return err
		}
		i := slices.IndexFunc(local.Report.Changes, func(ch diff.Change) bool { return ch.Object == is.Object && ch.Action == is.Action })
		if i < 0 {
			return c.stale(is.Object, "", string(was.Action), "nothing to do without the API server's confirmation")
		}
		is = local.Report.Changes[i]
	}
	if field, a, b, differs := fieldsDiffer(was, is); differs {
		return c.stale(is.Object, field, a, b)
	}
	switch {
	case withoutHashes(was.Reason) != withoutHashes(is.Reason):
		return c.stale(is.Object, "reason", was.Reason, is.Reason)
	case was.Source != is.Source:
		return c.stale(is.Object, "source", was.Source, is.Source)
	}
	if text, ok := missingText(was.Warnings, is.Warnings); ok {
		return c.stale(is.Object, "", "without the warning", "with it: "+text)
	}
	return nil
}

// fieldsDiffer finds the first field that two changes of one object do not
// agree on. Of hidden values only that they are hidden is compared: that they
// are the same follows from the digests.
func fieldsDiffer(was, is diff.Change) (field, then, now string, differs bool) {
	was.Fields, is.Fields = reviewed(was), reviewed(is)
	has := func(fields []diff.Field, path string) bool {
		return slices.ContainsFunc(fields, func(f diff.Field) bool { return withoutHashes(f.Path) == path })
	}
	for i := range max(len(was.Fields), len(is.Fields)) {
		if i < len(is.Fields) {
			if path := withoutHashes(is.Fields[i].Path); !has(was.Fields, path) {
				return path, "as desired", "different", true
			}
		}
		if i < len(was.Fields) {
			if path := withoutHashes(was.Fields[i].Path); !has(is.Fields, path) {
				return path, "different", "as desired", true
			}
		}
		if i >= len(is.Fields) || i >= len(was.Fields) || withoutHashes(was.Fields[i].Path) != withoutHashes(is.Fields[i].Path) {
			return "", "of other fields", "different", true
		}
		a, b := was.Fields[i], is.Fields[i]
		switch path := withoutHashes(b.Path); {
		case !sameValue(a.Live, b.Live):
			return path, shownValue(a.Live), shownValue(b.Live), true
		case !sameValue(a.Desired, b.Desired):
			return path, "to become " + shownValue(a.Desired), "to become " + shownValue(b.Desired), true
		case !sameValue(a.Base, b.Base):
			return path, "applied as " + shownValue(a.Base), "applied as " + shownValue(b.Base), true
		case a.Cause != b.Cause || a.Manager != b.Manager:
			return path, causeOf(a), causeOf(b), true
		case a.Secret != b.Secret || a.Reordered != b.Reordered || a.Immutable != b.Immutable:
			return path, "marked otherwise", "different", true
		}
	}
	return "", "", "", false
}

// reviewed are the fields of a change that were reviewed: not those that
// admission adds to a Pod, whose volumes it names anew each time.
func reviewed(ch diff.Change) []diff.Field {
	if ch.Object.Group != "" || ch.Object.Kind != "Pod" {
		return ch.Fields
	}
	return slices.DeleteFunc(slices.Clone(ch.Fields), func(f diff.Field) bool { return f.Cause == diff.Default && f.Live == nil })
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
	return errX == nil && errY == nil && withoutHashes(x) == withoutHashes(y)
}

// shownValue is a value of a report as an error shows it.
func shownValue(v any) string {
	if v == nil {
		return "absent"
	}
	return withoutHashes(fmt.Sprint(v))
}

// hooks compares the hooks that would run, and those that are recorded to run
// later.
func (c *comparison) hooks() error {
	if !c.noHooks && !sameValue(c.then.Hooks, c.now.Hooks) {
		return c.stale(diff.Object{}, "hooks", "as planned", "different")
	}
	if !sameValue(c.then.LaterHooks, c.now.LaterHooks) {
		return c.stale(diff.Object{}, "hooks of later operations", "as planned", "different")
	}
	return nil
}

// texts fails if the fresh plan warns of, or notes, anything that the reviewed
// one did not. What blocks the plan is reported as such.
func (c *comparison) texts() error {
	now := c.now
	if c.then.DryRun == DryRunNone || len(c.then.Missing) > 0 {
		if !c.stored {
			return nil
		}
		local, err := c.local()
		if err != nil {
			return err
		}
		now = local
	}
	blocking := now.blockingTexts()
	warnings := slices.DeleteFunc(slices.Clone(now.Report.Warnings), func(w string) bool { return slices.Contains(blocking, w) })
	for _, t := range []struct {
		what      string
		then, now []string
	}{{"warning", c.then.Report.Warnings, warnings}, {"note", c.then.Report.Notes, now.Report.Notes}} {
		if text, ok := missingText(t.then, t.now); ok {
			return c.stale(diff.Object{}, "", "without the "+t.what, "with it: "+text)
		}
	}
	return nil
}

// missingText finds a text of the fresh plan that the reviewed one does not
// have.
func missingText(then, now []string) (text string, ok bool) {
	for _, text := range now {
		if !slices.ContainsFunc(then, func(was string) bool { return withoutHashes(was) == withoutHashes(text) }) {
			return text, true
		}
	}
	return "", false
}

// hidden fails if a stored plan without a key hides anything that matters to
// more than the value that is hidden.
func (c *comparison) hidden() error {
	if !c.stored || c.now.KeyedBy != "" {
		return nil
	}
	for _, ch := range c.now.Report.Changes {
		if path, ok := hidesElsewhere(ch.Object, ch.Fields); ok && ch.Changed() {
			return hiddenError(c.now.Key, ch.Object, path)
		}
	}
	for _, h := range slices.Concat(c.now.Hooks, c.now.LaterHooks) {
		if path, ok := hidesElsewhere(h.Object, h.Fields); ok {
			return hiddenError(c.now.Key, h.Object, path)
		}
	}
	return nil
}
