package engine

import (
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// wanted is what a plan makes of the release: rendered, or out of the history.
// Zero: nothing, for an uninstall.
type wanted struct {
	objects []render.Object
	crds    []render.Object          // of the chart's crds/ directory
	notes   map[diff.Object][]string // for people, by identity
	text    storage.Text             // the manifest to record; earlier ones share what is the same
}

// reading is what the read stage hands on: every object of the plan, and what
// the cluster says beside them.
type reading struct {
	objects []*object // in the order of the report
	brings  broughtKinds
	// createdNamespaces are those that applying creates, the release's own
	// included.
	createdNamespaces map[string]bool
	// unserved are objects of the newest revision whose kind the API server no
	// longer serves, and which are gone with it: only drift reports them.
	unserved []Problem
	redactor *diff.Redactor
	warnings []string       // about the plan as a whole
	rules    *cluster.Rules // of these credentials in the release's namespace; nil: not asked
}
