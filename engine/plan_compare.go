package engine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// comparison compares a plan that was reviewed with one that was made just now.
// Nothing that the reviewed one says is trusted: whatever would be done is
// compared with what it says, and an error shows of the present only what the
// fresh plan shows.
type comparison struct {
	then, now *Plan
	stored    bool // then was read from JSON
	noHooks   bool
	// again makes the plan once more, and local without dry-runs, to be compared
	// with changes that were not confirmed by the API server.
	again, local func() (*Plan, error)
}

// run returns a *StalePlanError if the fresh plan does anything other than the
// one that was reviewed, and an error that wraps ErrPlanDigest if that cannot be
// decided.
func (c *comparison) run() error {
	for _, step := range []func() error{c.heads, c.digests, c.live, c.changes, c.preconditions, c.hooks, c.texts, c.hidden} {
		if err := step(); err != nil {
			return c.withSeedHint(err)
		}
	}
	return nil
}

// withSeedHint adds to an error what to do if the chart draws at random, and the
// plan could not say from which seed.
func (c *comparison) withSeedHint(err error) error {
	if c.stored && c.now.KeyedBy == "" && c.now.work != nil && !c.now.work.seed.IsZero() {
		return &Error{
			Op: "apply", Key: c.now.Key, Err: err,
			Hint: "the chart draws random values; a stored plan of a first install renders the same ones only with Options.PlanKey",
		}
	}
	return err
}

func (c *comparison) stale(o diff.Object, field, was, is string) error {
	o = diff.Object{Group: printable(o.Group), Version: printable(o.Version), Kind: printable(o.Kind), Namespace: printable(o.Namespace), Name: printable(o.Name)}
	return &StalePlanError{Key: c.now.Key, Object: o, Field: printable(field), Then: printable(was), Now: printable(is)}
}

// maxShown bounds a text of a stored plan in an error.
const maxShown = 500

// printable is a text of a stored plan as an error shows it.
func printable(text string) string { return clean.Short(text, maxShown) }

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
		{c.differingTemplate(), c.then.ManifestDigest, c.now.ManifestDigest},
	} {
		if d.was != d.is {
			return c.stale(diff.Object{}, d.field, "as planned", "different")
		}
	}
	return nil
}

// differingTemplate names the first template that renders something else now;
// "manifest" if none does: a post-renderer, for example.
func (c *comparison) differingTemplate() string {
	then, now := c.then.TemplateDigests, c.now.TemplateDigests
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if then[name] != now[name] {
			return "template " + name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(then)) {
		if now[name] == "" {
			return "template " + name
		}
	}
	return "manifest"
}

// changes compares the lists of changes, which must be of the same objects and
// actions in the same order.
func (c *comparison) changes() error {
	then, now := c.then.Report.Changes, c.now.Report.Changes
	if !c.stored { // the fresh plan leaves out what is only shown
		then, now = changed(then), changed(now)
	}
	then = slices.DeleteFunc(slices.Clone(then), func(ch diff.Change) bool { return c.createsNamespace(ch) && !c.now.work.namespace.missing })
	was, is := objectsOf(then), objectsOf(now)
	for i := range max(len(then), len(now)) {
		switch {
		case i < len(now) && !was[now[i].Object]:
			return c.stale(now[i].Object, "", "not part of it", string(now[i].Action))
		case i < len(then) && !is[then[i].Object]:
			return c.stale(then[i].Object, "", string(then[i].Action), "nothing to do")
		case i >= len(now) || i >= len(then) || then[i].Object != now[i].Object:
			return c.stale(diff.Object{}, "order of changes", "as planned", "different")
		case then[i].Action == diff.Created && !now[i].Changed():
			continue // it is there already as it would have been created
		case then[i].Action != now[i].Action:
			return c.stale(now[i].Object, "", string(then[i].Action), string(now[i].Action))
		}
		if err := c.change(then[i], now[i]); err != nil {
			return err
		}
	}
	return nil
}

func changed(changes []diff.Change) []diff.Change {
	return slices.DeleteFunc(slices.Clone(changes), func(ch diff.Change) bool { return !ch.Changed() })
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
	if !is.Changed() {
		if was.Source != is.Source || !sameValue(was.Fields, is.Fields) {
			return c.stale(is.Object, "", "described otherwise", string(is.Action))
		}
		return nil // and what else is said of it does not matter
	}
	if was.Local != is.Local {
		if !c.stored {
			return nil // the very objects that were planned, of which less was asked
		}
		if !was.Local || c.askedForAll() {
			return c.stale(is.Object, "", "confirmed by the API server", "not, or the other way round")
		}
		var err error
		if is, err = c.unconfirmed(was, is); err != nil {
			return err
		}
	}
	if err := c.fields(was, is); err != nil {
		return err
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

// unconfirmed is a change of the fresh plan as it is computed without the API
// server.
func (c *comparison) unconfirmed(was, is diff.Change) (diff.Change, error) {
	local, err := c.local()
	if err != nil {
		return diff.Change{}, err
	}
	i := slices.IndexFunc(local.Report.Changes, func(ch diff.Change) bool { return ch.Object == is.Object && ch.Action == is.Action })
	if i < 0 {
		return diff.Change{}, c.stale(is.Object, "", string(was.Action), "nothing to do without the API server's confirmation")
	}
	return local.Report.Changes[i], nil
}

// hooks compares the hooks that would run, and those that are recorded to run
// later.
func (c *comparison) hooks() error {
	now, err := c.asMuchAsked()
	if err != nil {
		return err
	}
	if !c.noHooks && !sameValue(c.then.Hooks, now.Hooks) {
		return c.stale(diff.Object{}, "hooks", "as planned", "different")
	}
	if !sameValue(c.then.LaterHooks, now.LaterHooks) {
		return c.stale(diff.Object{}, "hooks of later operations", "as planned", "different")
	}
	return nil
}

// asMuchAsked is the fresh plan, or the local one if the reviewed one was made
// where the API server could not be asked for everything.
func (c *comparison) asMuchAsked() (*Plan, error) {
	if c.askedForAll() {
		return c.now, nil
	}
	return c.local()
}

// texts fails if the fresh plan warns of, or notes, anything that the reviewed
// one did not. What blocks the plan is reported as such.
func (c *comparison) texts() error {
	now, err := c.asMuchAsked()
	if err != nil {
		return err
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

// createsNamespace reports whether a change is that of the release's own
// namespace, which another plan may create as well.
func (c *comparison) createsNamespace(ch diff.Change) bool {
	return ch.Action == diff.Created && isNamespace(ch.Object) && ch.Object.Name == c.now.Key.Namespace
}

// asksAll reports whether the API server could be asked whatever there was to
// ask when the plan was made.
func (p *Plan) asksAll() bool { return p.DryRun != DryRunNone && len(p.Missing) == 0 }

// askedForAll reports whether the API server could be asked when the reviewed plan
// was made for all that it can be asked for now. Of objects in a namespace that
// did not exist it could not.
func (c *comparison) askedForAll() bool {
	return c.then.asksAll() && (c.now.work.namespace.missing || !slices.ContainsFunc(c.then.Report.Changes, c.createsNamespace))
}

// missingText finds a text of the fresh plan that the reviewed one does not
// have.
func missingText(then, now []string) (text string, ok bool) {
	if len(now) == 0 {
		return "", false
	}
	has := make(map[string]bool, len(then))
	for _, was := range then {
		has[withoutHashes(was)] = true
	}
	for _, text := range now {
		if !has[withoutHashes(text)] {
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
