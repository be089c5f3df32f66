package engine

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
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

// deploys reports whether a plan of the kind needs its Release again.
func (k PlanKind) deploys() bool { return k == PlanInstall || k == PlanUpgrade }

// PlanOptions are the settings of planning. The zero value makes a server-side
// dry-run only where it can matter.
type PlanOptions struct {
	// DryRun selects the objects of which a server-side dry-run is made.
	DryRun DryRun
	// Force and Adopt are as in Release, for the plans that have none. Applying
	// the plan needs them in ApplyOptions again.
	Force, Adopt bool
	// UnsafeDelete lists CustomResourceDefinitions, Namespaces,
	// PersistentVolumeClaims and PersistentVolumes that the plan may delete
	// although others lose objects or data with them; a version is ignored.
	// Nil: each of them is a problem of the plan. Applying needs
	// ApplyOptions.UnsafeDelete as well if the plan was stored.
	UnsafeDelete []diff.Object
	// Assume are objects that will exist when the plan is applied, because
	// something else creates them before: Namespaces, and
	// CustomResourceDefinitions that are created or changed. Objects in these
	// namespaces and of these kinds are planned locally, custom resources
	// validated by the schema of their definition, and marked Local. Applying
	// the plan assumes nothing: it is stale once its Local objects can be
	// confirmed and differ, so plan again when they exist. Other kinds are an
	// error. Nil: nothing.
	Assume []*unstructured.Unstructured
}

func (o PlanOptions) asking() asking {
	return asking{nonce: newNonce(), DryRun: o.DryRun, force: o.Force, adopt: o.Adopt, unsafeDelete: o.UnsafeDelete, assume: o.Assume}
}

// DryRun selects the objects of a plan of which a server-side dry-run is made.
type DryRun string

const (
	// DryRunChanged selects objects that are new, or that change by a local
	// merge, with the API server's own schemas and rules of ownership, and where
	// that cannot decide. The default.
	DryRunChanged DryRun = ""
	// DryRunAll selects all objects: changes by admission alone are found
	// too.
	DryRunAll DryRun = "All"
	// DryRunNone selects none. Changes are marked Local: admission, quotas,
	// immutable fields, and defaults that change are not considered.
	DryRunNone DryRun = "None"
)

// again selects the objects when a plan is made again to be applied: what was
// planned without the API server is applied only with its consent.
func (d DryRun) again() DryRun {
	if d == DryRunAll {
		return DryRunAll
	}
	return DryRunChanged
}

// Plan is what a call would do, and what it was computed from. It is plain
// data: print its Report, store it as JSON, apply it later, even in another
// process. The JSON holds no manifest and no values, and so no secret. One that
// was read back is not trusted: the options of Apply must say what it is for, and
// applies it only if it is what would be planned now.
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
	// Cluster identifies the cluster by the UID of a namespace: the release's, or
	// kube-system; empty if neither exists or may be read. It is comparable
	// between plans.
	Cluster string `json:"cluster,omitempty"`
	// DryRun is as in PlanOptions.
	DryRun DryRun `json:"dryRun,omitempty"`
	// Nonce goes into all digests of the plan, so that they differ from those of
	// all other plans.
	Nonce string `json:"nonce,omitempty"`
	// KeyedBy says what the digests are keyed with. Empty: with nothing, and
	// then nothing that the plan hides has a digest.
	KeyedBy DigestKey `json:"keyedBy,omitempty"`
	// ManifestDigest, ValuesDigest and ChartDigest are those of the manifest,
	// hooks included, of the values and of the chart's files; of an uninstall,
	// those of the newest revision. They are keyed, because each of them may
	// hold secrets.
	ManifestDigest string `json:"manifestDigest,omitempty"`
	ValuesDigest   string `json:"valuesDigest,omitempty"`
	ChartDigest    string `json:"chartDigest,omitempty"`
	// TemplateDigests are those of what each template has rendered, shortened, by
	// the template's path: they say which one renders something else when the plan
	// is applied.
	TemplateDigests map[string]string `json:"templateDigests,omitempty"`
	// RenderedAt is the time that templates were rendered with, and are again when
	// the plan is applied; zero for plans that render none.
	RenderedAt time.Time `json:"renderedAt,omitzero"`
	// Preconditions are what applying assumes of the live objects that the plan
	// changes.
	Preconditions []Precondition `json:"preconditions,omitempty"`
	// Report says what changes, object by object, field by field.
	Report diff.Report `json:"report"`
	// Hooks lists the hooks that would run, in order.
	Hooks []PlannedHook `json:"hooks,omitempty"`
	// LaterHooks lists the hooks that a deploy only records: tests, and those of
	// an upgrade, a rollback or an uninstall.
	LaterHooks []PlannedHook `json:"laterHooks,omitempty"`
	// Problems block the plan: one with problems is not applied.
	Problems []Problem `json:"problems,omitempty"`
	// Missing lists all permissions to write that applying needs and that the
	// credentials of its author lack. They are no problem of the plan: applying
	// it looks at those of the engine that does.
	Missing []Permission `json:"missing,omitempty"`
	// Signature is what Sign has added; nil: the plan is not signed.
	Signature *Signature `json:"signature,omitempty"`

	work *work // nil after a round trip through JSON
}

// PlannedHook is a hook that a plan runs, or records.
type PlannedHook struct {
	Object diff.Object `json:"object"`
	Event  string      `json:"event"` // of a hook that is only recorded: all of them, with commas
	Weight int         `json:"weight,omitempty"`
	// Fields is the whole object, as of one that is created.
	Fields []diff.Field `json:"fields,omitempty"`
	// Replaces: the hook that an earlier run left is deleted first.
	Replaces bool `json:"replaces,omitempty"`
}

// Changed reports whether applying the plan writes anything.
func (p *Plan) Changed() bool {
	if p.Kind == PlanUninstall {
		return true
	}
	if p.work != nil && (p.work.recordOnly || p.work.namespace.missing) {
		return true
	}
	return p.To != 0 || slices.ContainsFunc(p.Report.Changes, diff.Change.Changed)
}

// Err is nil if the plan can be applied by who has the permissions that it takes,
// and a *ProblemsError otherwise. Missing are those that its author lacks.
func (p *Plan) Err() error { return problemsError(p.Key, p.Problems) }

// blockingTexts are the warnings of the report that repeat what blocks applying
// the plan with the credentials that it was made with.
func (p *Plan) blockingTexts() []string {
	var out []string
	for _, problem := range p.Problems {
		out = append(out, problem.Error())
	}
	if len(p.Missing) > 0 {
		var texts []string
		for _, m := range p.Missing {
			texts = append(texts, m.String())
		}
		out = append(out, "applying takes permissions that the credentials of the plan lack: "+strings.Join(texts, ", "))
	}
	return out
}

// refusal is the error of applying the plan with the credentials that it was made
// with, by a call that runs hooks, or does not.
func (p *Plan) refusal(noHooks bool) error {
	problems := slices.DeleteFunc(slices.Clone(p.Problems), func(pr Problem) bool { return noHooks && pr.Hook })
	for _, m := range p.Missing {
		if noHooks && m.HooksOnly {
			continue
		}
		problems = append(problems, Problem{
			Kind: ProblemForbidden, Message: "missing permission: " + m.String(), Hint: "grant it, or apply the plan with credentials that have it",
		})
	}
	return problemsError(p.Key, problems)
}

// problemsError is nil without problems.
func problemsError(k Key, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &ProblemsError{Key: k, Problems: problems}
}

func countChanged(r diff.Report) int {
	n := 0
	for _, c := range r.Changes {
		if c.Changed() {
			n++
		}
	}
	return n
}

func chartName(name, version string) string {
	if version == "" {
		return name
	}
	return name + "-" + version
}
