package engine

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/diff"
)

// comparePlans returns a *StalePlanError if the fresh plan does anything other
// than the one that was reviewed.
func comparePlans(then, now *Plan) error {
	stale := func(o diff.Object, field, was, is string) error {
		return &StalePlanError{Key: then.Key, Object: o, Field: field, Then: was, Now: is}
	}
	if then.From != now.From {
		return stale(diff.Object{}, "", fmt.Sprintf("at revision %d", then.From), fmt.Sprintf("at revision %d", now.From))
	}
	if err := then.sameSource(now); err != nil {
		return err
	}
	if err := then.checkPreconditions(now); err != nil {
		return err
	}
	before := map[diff.Object]diff.Change{}
	for _, c := range then.Report.Changes {
		before[c.Object] = c
	}
	for _, c := range now.Report.Changes {
		was, ok := before[c.Object]
		delete(before, c.Object)
		if !ok {
			if c.Changed() {
				return stale(c.Object, "", "not part of it", string(c.Action))
			}
			continue
		}
		if was.Action != c.Action {
			return stale(c.Object, "", string(was.Action), string(c.Action))
		}
		if field, a, b, differs := fieldsDiffer(was, c); differs {
			return stale(c.Object, field, a, b)
		}
	}
	for o, was := range before {
		if was.Changed() {
			return stale(o, "", string(was.Action), "nothing to do")
		}
	}
	return nil
}

// fieldsDiffer finds the first field that two changes of one object do not
// agree on. Secret values have hashes under a key of each plan, so of them
// only the path is compared; that their objects are the same follows from the
// digest and from the live values' own preconditions.
func fieldsDiffer(was, is diff.Change) (field, then, now string, differs bool) {
	if was.Local != is.Local {
		return "", "", "", false // one of them could not ask the API server
	}
	before := map[string]diff.Field{}
	for _, f := range was.Fields {
		before[f.Path] = f
	}
	for _, f := range is.Fields {
		old, ok := before[f.Path]
		delete(before, f.Path)
		switch {
		case !ok:
			return f.Path, "as desired", "different", true
		case f.Secret || old.Secret:
		case !jsonEqual(old.Live, f.Live):
			return f.Path, fmt.Sprint(old.Live), fmt.Sprint(f.Live), true
		case !jsonEqual(old.Desired, f.Desired):
			return f.Path, "to become " + fmt.Sprint(old.Desired), "to become " + fmt.Sprint(f.Desired), true
		}
	}
	for path := range before {
		return path, "different", "as desired", true
	}
	return "", "", "", false
}
