// Package merge computes the result of a server-side apply locally: the object
// after the apply, the conflicts with other managers, and the removed fields.
//
//	m := merge.New(loader) // loader returns OpenAPI v3 documents
//	merged, conflicts, err := m.Apply(ctx, live, desired, "fairlead", false)
//
// It runs the API server's own algorithm (structured-merge-diff) with the schemas
// that the server publishes. It does not know, and the merged object therefore
// lacks:
//
//   - Defaults of fields that desired adds: a new container, a struct that was
//     absent, a field that was removed and falls back to its default. Where
//     live and desired agree, live's defaults stay, as they do on the server.
//   - Defaults inside lists and maps that are replaced as a whole (claim
//     templates, environment from fields, network policy ports). They are kept
//     only when [Request].Base shows that desired did not change there.
//   - The server's canonical form of a value: quantities (1000m becomes 1),
//     durations, times.
//   - Admission: mutating webhooks and policies, and the server's own plugins;
//     and everything that validation would reject beyond the schema.
//   - Conversion between versions of an API. If the live object, or one of its
//     managers, is of another version than desired, the result is an error.
//   - Fields that the server clears because another one changed: the node ports
//     of a Service that becomes a ClusterIP.
//   - Reset of fields that the server does not let an apply write, other than
//     status.
//
// So a merged object that equals live proves that nothing would change. One that
// differs shows what would change, but only a dry-run has the exact result. If
// the result cannot be computed, the error is an [*UndecidedError].
package merge
