package stack

import (
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// PlanOptions are the settings of planning a stack. The zero value plans all
// members, and deletes no release.
type PlanOptions struct {
	// DryRun is as in engine.PlanOptions.
	DryRun engine.DryRun
	// Prune plans to uninstall the releases that belong to the stack and are no
	// members any more. False: they are listed in Plan.Left and stay.
	Prune bool
	// UnsafeDelete is as in engine.PlanOptions, for all members.
	UnsafeDelete []diff.Object
	// UnsafeNeeded deletes releases that others outside of the stack need. False:
	// that is a *NeededError.
	UnsafeNeeded bool
	// Concurrency bounds how many members are planned at once. 0:
	// DefaultConcurrency.
	Concurrency int
}

// PlanKind is what a plan of a stack is for.
type PlanKind string

const (
	PlanDeploy    PlanKind = "Deploy"
	PlanUninstall PlanKind = "Uninstall"
)

// Plan is what applying a stack would do. It is plain data: print it, store it as
// JSON, apply it later.
type Plan struct {
	Kind  PlanKind `json:"kind"`
	Stack string   `json:"stack"`
	// Members are in the order in which they are applied.
	Members []MemberPlan `json:"members"`
	// Pruned are releases that left the stack and are uninstalled, in order.
	Pruned []MemberPlan `json:"pruned,omitempty"`
	// Left are releases that left the stack and stay.
	Left []engine.Key `json:"left,omitempty"`
	// Warnings are about the stack as a whole.
	Warnings []string `json:"warnings,omitempty"`
	// Signature is what Sign has added; nil: the plan is not signed.
	Signature *engine.Signature `json:"signature,omitempty"`
}

// MemberPlan is the plan of one member.
type MemberPlan struct {
	Member string `json:"member"`
	// Needs are the members that are applied before.
	Needs []string `json:"needs,omitempty"`
	// Unknown are the inputs whose values are not known yet, by path, and what
	// they are.
	Unknown []UnknownInput `json:"unknown,omitempty"`
	// Uncertain are objects of which it is not known whether they are part of the
	// release: it depends on what is unknown.
	Uncertain []diff.Object `json:"uncertain,omitempty"`
	// NoLongerNeeds are releases that it has needed, as recorded, and does not any
	// more.
	NoLongerNeeds []engine.Key `json:"noLongerNeeds,omitempty"`
	// Assumed are the definitions and namespaces of earlier members by which
	// objects of this one were planned.
	Assumed []diff.Object `json:"assumed,omitempty"`
	// InputsDigest is a digest of the chart and of the values that are known, if
	// the member is planned again at its turn and its engine has Options.PlanKey,
	// which is the key.
	InputsDigest string `json:"inputsDigest,omitempty"`
	// Plan is that of the release. If something is unknown or assumed it is to be
	// shown, and cannot be applied by itself: see Later.
	Plan *engine.Plan `json:"plan"`

	inputs *knownInputs // nil after a round trip through JSON
}

// knownInputs are the values of inputs that are known, by path. They may be secrets:
// behind a pointer, printing a plan does not show them.
type knownInputs struct{ values map[string]any }

func (m *MemberPlan) known() map[string]any {
	if m.inputs == nil {
		return nil
	}
	return m.inputs.values
}

// UnknownInput is an input whose value is not known yet.
type UnknownInput struct {
	Path   string `json:"path"`
	Output string `json:"output"`
}

// Later reports whether the member is planned again at its turn, because something
// is unknown or assumed now. It is applied if it then is within what the plan shows.
func (m *MemberPlan) Later() bool { return len(m.Unknown) > 0 || len(m.Assumed) > 0 }

// Changed reports whether applying the plan writes anything, as far as is known.
func (p *Plan) Changed() bool {
	return slices.ContainsFunc(p.all(), func(m MemberPlan) bool { return m.Plan.Changed() })
}

// all are the plans of the members, and of the releases that are pruned.
func (p *Plan) all() []MemberPlan { return slices.Concat(p.Members, p.Pruned) }

// Err is nil if the plan can be applied, and a *ProblemsError otherwise.
func (p *Plan) Err() error {
	var out []*MemberError
	for _, m := range p.all() {
		if err := m.Plan.Err(); err != nil {
			out = append(out, &MemberError{Member: m.Member, Op: "plan", Err: err})
		}
	}
	if out == nil {
		return nil
	}
	return &ProblemsError{Members: out}
}

// Missing are the permissions that applying the plan needs and that the
// credentials of its author lack, by member.
func (p *Plan) Missing() map[string][]engine.Permission {
	out := map[string][]engine.Permission{}
	for _, m := range p.all() {
		if len(m.Plan.Missing) > 0 {
			out[m.Member] = m.Plan.Missing
		}
	}
	return out
}

// member returns the plan of a member; nil: it has none.
func (p *Plan) member(name string) *MemberPlan {
	for i := range p.Members {
		if p.Members[i].Member == name {
			return &p.Members[i]
		}
	}
	return nil
}

func isDefinition(o diff.Object) bool {
	return o.Group == "apiextensions.k8s.io" && o.Kind == "CustomResourceDefinition"
}

func isNamespace(o diff.Object) bool { return o.Group == "" && o.Kind == "Namespace" }

func isSecret(o diff.Object) bool { return o.Group == "" && o.Kind == "Secret" }

// brings reports whether members that come later may be planned by the object of a
// change: a definition that it creates or changes, or a namespace that it creates.
func brings(ch diff.Change) bool {
	return isDefinition(ch.Object) && ch.Changed() && ch.Action != diff.Deleted || isNamespace(ch.Object) && ch.Action == diff.Created
}

// identity is an object of a release without its version, and with the namespace that
// it gets.
func identity(k engine.Key, u *unstructured.Unstructured) diff.Object {
	o := diff.ObjectOf(u)
	o.Version = ""
	if o.Namespace == "" {
		o.Namespace = k.Namespace
	}
	return o
}
