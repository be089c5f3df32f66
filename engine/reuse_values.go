package engine

import "github.com/fairlead-dev/fairlead/render"

// ReuseValues decides what becomes of the values with which a release was
// deployed last, when it is deployed again: those of its deployed revision, or of
// the newest one if none is. A first install has none to reuse.
type ReuseValues string

const (
	// ResetValues: Release.Values are all that is given. The default, and Helm's
	// if it is given values.
	ResetValues ReuseValues = ""
	// ReuseStored: Release.Values over the earlier ones, as with
	// helm upgrade --reuse-values; and the values of the stored chart, earlier
	// ones included, take the place of those of the new chart. Defaults that the
	// new chart adds or changes do not count, and a null does not bring back a
	// default.
	ReuseStored ReuseValues = "Reuse"
	// ResetThenReuse: Release.Values over the earlier ones, over the new chart's
	// own, as with helm upgrade --reset-then-reuse-values. A null removes an
	// earlier value.
	ResetThenReuse ReuseValues = "ResetThenReuse"
)

// deployValues are those that a deploy renders and records.
type deployValues struct {
	given render.Values
	chart *render.Values // in place of the chart's own; nil: its own
}
