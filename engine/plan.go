package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// PlanKind is what a plan is for.
type PlanKind string

const (
	PlanInstall   PlanKind = "Install"
	PlanUpgrade   PlanKind = "Upgrade"
	PlanRollback  PlanKind = "Rollback"
	PlanUninstall PlanKind = "Uninstall"
	// PlanCorrection undoes drift from the newest revision.
	PlanCorrection PlanKind = "Correction"
	PlanRollout    PlanKind = "Rollout"
)

// PlanOptions are the settings of planning. The zero value asks the API
// server where its word matters.
type PlanOptions struct {
	// DryRun says which objects the API server is asked about.
	DryRun DryRun

	// rendered is applied as it was planned, without rendering again.
	rendered *render.Manifest
	// correct undoes drift: what others have changed is taken back.
	correct bool
	// drift is only to be told, of what was written, and not to be corrected.
	drift bool
	// brief leaves out the question whether plain data may be created: what
	// is applied next is told soon enough.
	brief bool
	// direct is for a plan that is carried out at once: nor is it asked whether
	// plain data may be changed.
	direct bool
	// purges takes an uninstalled release for one whose history is to go.
	purges bool
}

// DryRun says which objects of a plan the API server is asked about, by a
// request that writes nothing.
type DryRun string

const (
	// DryRunChanged asks about objects that are new, or that a merge done
	// here, by the API server's own schemas and rules of ownership, shows to
	// change, and where that cannot tell. The default.
	DryRunChanged DryRun = ""
	// DryRunAll asks about all objects: what changes only by admission is
	// seen too.
	DryRunAll DryRun = "All"
	// DryRunNone asks about none. Changes are marked Local: they know nothing
	// of admission, quotas, immutable fields, and defaults that change.
	DryRunNone DryRun = "None"
)

// Plan is what a call would do, and what it was computed from. It is plain
// data: print its Report, store it as JSON, apply it later, in another
// process if need be. The JSON holds no manifest and no values, so that no
// secret is in it; applying a plan that was read back renders again and
// checks the digests.
type Plan struct {
	Kind PlanKind `json:"kind"`
	Key  Key      `json:"release"`
	// From is the revision that the plan builds on; 0 if there is none.
	From int `json:"from,omitempty"`
	// To is the revision that applying it records; 0 if it records none.
	To int `json:"to,omitempty"`
	// Target is the revision that a rollback goes back to.
	Target int `json:"target,omitempty"`
	// Rollout is what a plan of PlanRollout does.
	Rollout *Rollout `json:"rollout,omitempty"`
	// Chart is "name-version" of what was rendered.
	Chart string `json:"chart,omitempty"`
	Cause string `json:"cause,omitempty"`
	// ChartDigest is that of the chart's files, as in render.ChartInfo; empty
	// for what is no chart.
	ChartDigest string `json:"chartDigest,omitempty"`
	// Nonce goes into all seals of the plan, so that they differ from those
	// of all other plans.
	Nonce string `json:"nonce,omitempty"`
	// ManifestDigest and ValuesDigest are seals of the rendered manifest,
	// hooks included, and of the values: keyed digests, because either may
	// hold secrets.
	ManifestDigest string `json:"manifestDigest,omitempty"`
	ValuesDigest   string `json:"valuesDigest,omitempty"`
	// Preconditions are what applying takes for granted of the living objects
	// that the plan changes.
	Preconditions []Precondition `json:"preconditions,omitempty"`
	// Report says what changes, object by object, field by field.
	Report diff.Report `json:"report"`
	// Hooks lists the hooks that would run, in order.
	Hooks []PlannedHook `json:"hooks,omitempty"`
	// Problems stand in the way; a plan with problems is not applied.
	Problems []Problem `json:"problems,omitempty"`
	// Missing lists all rights to write that applying needs and that these
	// credentials lack, such as "patch deployments.apps in namespace shop".
	// Those that end in "(for hooks)" are not needed with
	// ApplyOptions.NoHooks.
	Missing []string `json:"missing,omitempty"`

	work *work // nil after a round trip through JSON
}

// PlannedHook is a hook that a plan runs.
type PlannedHook struct {
	Object diff.Object `json:"object"`
	Event  string      `json:"event"`
	Weight int         `json:"weight,omitempty"`
}

// work is what applying carries out. It holds secrets and never leaves the
// process.
type work struct {
	release  Release // of a deploy; zero otherwise
	manifest *render.Manifest
	record   *storage.Record   // the revision to record; nil for an uninstall
	last     *storage.Record   // newest revision there is; nil if none
	stock    storage.Stock     // what was stored of the release
	attempts []*storage.Record // the last healthy one, and those since
	items    []*item           // in the order of the report
	redactor *diff.Redactor
	// namespaceUID seals; empty if it is not known.
	namespaceUID types.UID
	// createNamespace is set if the release's namespace is missing and shall
	// be made.
	createNamespace bool
	// hooksRefused is why the hooks cannot run; nil if they can.
	hooksRefused error
	hookRights   []right // what running the hooks takes
	// recordOnly is set if no object changes, but what is recorded would.
	recordOnly bool
	// historyOnly is set if the release is uninstalled, and only its history is
	// to go.
	historyOnly bool
	// order and removal are by annotations; nil if there are none.
	order, removal *order
}

// ownNamespace is the release's own namespace if the manifest holds it.
func (w *work) ownNamespace() *item {
	for _, it := range w.items {
		if it.desired != nil && isNamespace(it.object) && it.object.Name == w.release.Namespace {
			return it
		}
	}
	return nil
}

// planSchema names the JSON schema of [Plan].
const planSchema = "fairlead.dev/plan/v1"

type planDocument struct {
	Schema string `json:"schema"`
	*planFields
}

type planFields Plan

// MarshalJSON writes the plan with the name of its schema.
func (p *Plan) MarshalJSON() ([]byte, error) {
	return json.Marshal(planDocument{planSchema, (*planFields)(p)})
}

// UnmarshalJSON reads what MarshalJSON wrote, and refuses another schema.
func (p *Plan) UnmarshalJSON(data []byte) error {
	doc := planDocument{planFields: &planFields{}}
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("read plan: %w", err)
	}
	if doc.Schema != planSchema {
		return fmt.Errorf("read plan: schema is %q, want %q", doc.Schema, planSchema)
	}
	*p = Plan(*doc.planFields)
	return nil
}

// tell puts into the report what concerns the plan as a whole.
func (p *Plan) tell() {
	for _, problem := range p.Problems {
		p.Report.Warnings = append(p.Report.Warnings, problem.Error())
	}
	if len(p.Missing) > 0 {
		p.Report.Warnings = append(p.Report.Warnings, "rights that are missing: "+strings.Join(p.Missing, ", "))
	}
	var hooks []string
	for _, h := range p.Hooks {
		hooks = append(hooks, fmt.Sprintf("%s %s %s", h.Event, h.Object.Kind, h.Object.Name))
	}
	if len(hooks) > 0 {
		p.Report.Notes = append(p.Report.Notes, "hooks: "+strings.Join(hooks, ", "))
	}
}

// Changed reports whether applying the plan writes anything.
func (p *Plan) Changed() bool {
	if p.Kind == PlanUninstall {
		return true
	}
	if p.work != nil && (p.work.recordOnly || p.work.createNamespace) {
		return true
	}
	return p.To != 0 || slices.ContainsFunc(p.Report.Changes, diff.Change.Changed)
}

// Err is nil if the plan can be applied, and a *ProblemsError otherwise.
func (p *Plan) Err() error { return p.refusal(false) }

func (p *Plan) refusal(noHooks bool) error {
	problems := slices.DeleteFunc(slices.Clone(p.Problems), func(pr Problem) bool { return noHooks && pr.Hook })
	for _, m := range p.Missing {
		if noHooks && strings.HasSuffix(m, forHooks) {
			continue
		}
		problems = append(problems, Problem{
			Kind: ProblemForbidden, Message: "the right to " + m + " is missing", Hint: "ask for it, or apply the plan with credentials that have it",
		})
	}
	if len(problems) == 0 {
		return nil
	}
	return &ProblemsError{Key: p.Key, Problems: problems}
}
