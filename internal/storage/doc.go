// Package storage keeps revisions where Helm keeps them and as Helm keeps
// them, so that Helm 3 and 4 read what the engine recorded, and the engine
// reads what they did.
//
// Revision N of release NAME is the Secret sh.helm.release.v1.NAME.vN, of type
// helm.sh/release.v1, in the release's namespace. Its labels name, owner,
// status and version are what Helm selects by; its key "release" holds
// base64(gzip(JSON)), on top of the base64 of every Secret. Creating that
// Secret is atomic: of several deployers of one revision one wins.
//
// Three things are added, which Helm passes over. Annotations (fairlead.dev/…)
// repeat what a listing shows, so that histories are read without a body. The
// cause of a change is one of them; it stands in the description that
// helm history prints too, because Helm drops annotations when it marks a
// revision superseded. The JSON says apply_method: ssa, as Helm 4 does.
//
// JSON members that this package does not know are kept when a revision that
// another writer recorded is updated.
package storage
