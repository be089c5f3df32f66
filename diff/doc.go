// Package diff says what would change in Kubernetes objects, field by field,
// and why.
//
// It compares up to four states of an object: what was applied last (base),
// what the cluster has (live), what shall be applied (desired), and what that
// will result in (merged: the API server's answer to a dry-run, a local merge,
// or a plain three-way merge made here). It is pure: no client, no clock, no
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
// A [Change] is what becomes of one object; its [Action] says it in a word.
// A [Field] is one difference between the live and the merged object, at a
// path in Kubernetes' own notation, with exactly one [Cause]. A [Report] is
// many changes, and can be printed, stored as JSON, and read back. A
// [Redactor] knows the secrets of a report and hides them. A [Schema] knows
// which lists merge by which keys.
//
// # What is the same
//
// Numbers are compared by value, whatever their type; resource quantities by
// meaning (1000m is 1); null is absent. In the kinds that Kubernetes itself
// serves, and in metadata, empty lists and empty maps of free keys (labels,
// annotations, data) are absent too. The items of lists merged by key are
// compared with their counterparts; where such items change places, that is a
// field of its own. What the API server writes by itself never shows: status,
// managedFields, resourceVersion, uid, generation, timestamps, the revision
// annotation of Deployments. Nor does an object's identity. A Secret's
// stringData is compared as the data that it becomes.
//
// # Guarantees
//
//   - Compare(x, x, x) is Unchanged and lists nothing.
//   - [Change.ApplyTo] live gives merged, for changes without secrets, apart
//     from what the API server writes by itself and from where in a list
//     merged by key a new item stands.
//   - No field is listed under two causes. A field below another is a default
//     that the value above does not hold.
//   - The order of everything is deterministic, and inputs are not changed.
//   - Values of Secrets are replaced inside [Compare], before anything can
//     print or store them.
//
// # What it does not know
//
// Which fields are immutable, and what may be replaced: its caller sets
// [Replaced]. What the API server would default or refuse, unless Merged says
// so. How one API version converts to another: states of different versions
// are compared as they are.
package diff
