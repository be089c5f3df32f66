// Package merge decides server-side apply as the API server would, without
// asking it: what an object would be after an apply, which managers would
// object, what would be removed.
//
//	m := merge.New(loader) // loader answers OpenAPI v3 documents
//	merged, conflicts, err := m.Apply(ctx, live, desired, "fairlead", false)
//
// It runs the API server's own algorithm (structured-merge-diff) over the
// schemas that the server publishes. What it cannot know, and therefore leaves
// as it stands in the merged object:
//
//   - Defaults of what desired newly sets: a new container, a struct that was
//     absent, a field that was removed and falls back to its default. Where
//     live and desired agree, live's defaults stay, as they do on the server.
//   - Defaults inside lists and maps that are replaced as a whole (claim
//     templates, environment from fields, network policy ports). They are kept
//     only when [Request].Base shows that desired did not change there.
//   - The server's own spelling of a value: quantities (1000m becomes 1),
//     durations, times.
//   - Admission: mutating webhooks and policies, and the server's own plugins;
//     and everything that validation would refuse beyond the schema.
//   - Conversion between versions of an API. An object whose live version, or
//     one of whose managers, is of another version than desired is not judged.
//   - What the server clears because something else changed: the node ports of
//     a Service that becomes a ClusterIP.
//   - Reset of fields that the server does not let an apply write, other than
//     status.
//
// So a merged object equal to live proves that nothing would change. One that
// differs says what would change, but is worth a dry-run for the exact outcome.
// Where it cannot decide at all it answers an [*UndecidedError].
package merge
