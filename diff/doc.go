// Package diff computes what would change in Kubernetes objects, field by field,
// and why.
//
// It compares up to four states of an object: what was applied last (base),
// what the cluster has (live), what is to be applied (desired), and the result
// of applying it (merged: the API server's response to a dry-run, a local merge,
// or a plain three-way merge computed here). It is pure: no client, no clock, no
// environment.
//
//	change, err := diff.Compare(diff.Input{
//		Base: applied, Live: live, Desired: rendered, Manager: "fairlead",
//	}, diff.Options{})
//	if err != nil {
//		return err
//	}
//	report := diff.Report{Title: "Release shop", Changes: []diff.Change{change}}
//	return report.WriteText(os.Stdout, diff.TextOptions{Color: true, Width: 120})
//
// # Vocabulary
//
// A [Change] is the planned change of one object; its [Action] is create,
// update, delete and so on. A [Field] is one difference between the live and the
// merged object, at a path in Kubernetes' own notation, with exactly one
// [Cause]. A [Report] is a list of changes; it can be printed, stored as JSON,
// and read back. A [Redactor] hides the secret values in a report. A [Schema]
// defines which lists merge by which keys.
//
// # Equality
//
// Numbers are compared by value, whatever their type; resource quantities by
// meaning (1000m equals 1); null equals absent. In the kinds that Kubernetes
// itself serves, and in metadata, empty lists and empty maps of free keys
// (labels, annotations, data) equal absent, too. The items of lists merged by
// key are compared with their counterparts; a change of their order is a field
// of its own. Fields that the API server writes are ignored: status,
// managedFields, resourceVersion, uid, generation, timestamps, the revision
// annotation of Deployments. So is an object's identity. A Secret's stringData
// is compared as the data that it becomes.
//
// # Guarantees
//
//   - Compare(x, x, x) is Unchanged and lists no fields.
//   - [Change.ApplyTo] live returns merged, for changes without secrets, apart
//     from the fields that the API server writes and from the position of new
//     items in a list merged by key.
//   - No field is listed under two causes. A field below another one is a
//     default that the value above does not contain.
//   - The order of everything is deterministic, and inputs are not changed.
//   - Values of Secrets are replaced inside [Compare], before anything can
//     print or store them.
//
// # Non-goals
//
// Which fields are immutable, and what may be replaced: the caller sets
// [Replaced]. What the API server would default or reject, unless Merged shows
// it. Conversion between API versions: states of different versions are compared
// as they are.
package diff
