package engine

// ReplacePolicy decides about an object with a changed field that the API server
// does not let change.
type ReplacePolicy string

const (
	// ReplaceDefault is ReplaceNever, except for a StatefulSet of which only the
	// storage grows: its claims are expanded, and it is replaced without its
	// pods.
	ReplaceDefault ReplacePolicy = ""
	// ReplaceNever makes the change a problem of the plan, which is not applied.
	ReplaceNever ReplacePolicy = "Never"
	// ReplaceRecreate deletes the object with all objects that it owns, waits
	// until it is gone, and creates it again.
	ReplaceRecreate ReplacePolicy = "Recreate"
	// ReplaceOrphan deletes the object without the objects that it owns, and
	// creates it again.
	ReplaceOrphan ReplacePolicy = "Orphan"
)

// replacePolicies are the policies that can be named, by Options.Replace and in
// lower case by AnnotationReplace, in the order in which they are listed.
var replacePolicies = []struct {
	policy   ReplacePolicy
	replaces bool // it deletes the object and creates it again
}{
	{ReplaceNever, false},
	{ReplaceRecreate, true},
	{ReplaceOrphan, true},
}

func (p ReplacePolicy) replaces() bool {
	for _, r := range replacePolicies {
		if r.policy == p {
			return r.replaces
		}
	}
	return false
}

// Replace is the policy for some objects. Empty parts match all, except that
// objects whose deletion would lose data (PersistentVolumeClaim,
// PersistentVolume, Namespace, CustomResourceDefinition, and any object with
// helm.sh/resource-policy: keep) are matched only by a rule that names their
// kind.
type Replace struct {
	// Kind is "Job", or "Job.batch" where two groups have one.
	Kind string
	// Name is a pattern of the object's name, with * and ?.
	Name   string
	Policy ReplacePolicy
}

// AnnotationReplace on an object of the release is its policy, in lower case:
// never, recreate, orphan. Options.Replace goes before it. Another value is a
// problem of the plan once the policy matters.
const AnnotationReplace = "fairlead.dev/replace"
