package engine

// Settle decides about a field that another manager owns and that the release
// sets differently.
type Settle string

const (
	// Fail makes it a problem of the plan, which is not applied. The default.
	Fail Settle = ""
	// Take takes the field from the other manager.
	Take Settle = "Take"
	// Yield leaves the field to the other manager: it is left out of what is
	// applied.
	Yield Settle = "Yield"
)

// Ownership resolves conflicts over some fields. Empty parts match all.
type Ownership struct {
	// Manager is a pattern of the other field manager's name, with * and ?.
	Manager string
	// Kind is "Deployment", or "Deployment.apps" where two groups have one.
	Kind string
	// Path of the field in the notation of diff.Field, such as
	// `spec.template.spec.containers[name="web"].image`; fields below it match
	// too.
	Path   string
	Settle Settle
}
