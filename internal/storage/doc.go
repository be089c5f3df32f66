// Package storage keeps revisions where Helm keeps them and as Helm keeps
// them, so that Helm 3 and 4 read what the engine recorded, and the engine
// reads what they did.
//
// # The Secret of a revision
//
// Revision N of release NAME is the Secret sh.helm.release.v1.NAME.vN, of type
// helm.sh/release.v1, in the release's namespace. Its labels name, owner=helm,
// status and version are what Helm selects by, createdAt and modifiedAt are
// seconds since 1970, and others are the user's. Its key "release" holds
// base64(gzip(JSON)), on top of the base64 of every Secret; bodies from before
// Helm compressed are read too. Creating that Secret is atomic: of several
// deployers of one revision one wins.
//
// Four things are added, which Helm passes over. Annotations (fairlead.dev/…)
// repeat what a listing or a watch shows, so that histories, and which kinds
// releases have objects of, are read without a body. The cause of a change is one
// of them; it stands after a dash in the description that helm history prints
// too, because Helm drops annotations when it marks a revision superseded. The key "fairlead.dev-key" of the Secret's data holds
// random bytes: who may not read the Secret can compute no digest that is keyed
// with them. The JSON says apply_method: csa, so that Helm 4 goes on with
// patches from the client's side, as Helm 3 does: its server-side apply would
// conflict with the engine's field manager.
//
// Members of the JSON that this package does not know, numbers that it would
// round, and what others have set on the Secret stay as they are when a
// revision is updated. Updates are checked against the resourceVersion.
//
// # Big revisions
//
// A Secret holds 1 MiB. What is bigger has its stored chart trimmed, in this
// order and as little as it takes: documentation, tests and files for
// continuous integration; files that no template names; schema and templates;
// the chart's own values. Neither rollback nor upgrade needs what is trimmed,
// except for the last, which helm upgrade --reuse-values reads. The annotation
// fairlead.dev/chart-trimmed tells.
//
// If that is not enough, the manifest, then the hooks and the values move to a
// tail, gzip(JSON), that is cut into Secrets named after their revision, the
// tail's digest and their number: sh.helm.release.v1.NAME.vN.DIGEST.K, of type
// fairlead.dev/release-part.v1, immutable, labelled owner=fairlead.dev. They are
// written before the Secret that refers to them, and never overwritten; a tail
// that is missing in part, or does not have the digest, is never read as whole
// (ErrTorn). They are owned by the Secret of their revision and go with it;
// what interrupted writers leave, Trim collects.
//
// Helm lists such a revision, shows its values, status and notes, and stops at
// its manifest, which it sees as one object of an unknown kind: an empty or
// partial one would make it delete what it cannot see.
//
// # Backends
//
// A Store works on records in the form of Secrets, which a [Backend] keeps: as
// Secrets; as ConfigMaps, which is Helm's other driver, and where nothing of a
// record is hidden from who may read those; or in memory. With a namespace, the
// records of all releases are in that one, and a label names their own.
//
// # What is read is not trusted
//
// A client that may write Secrets may write anything. Bodies are unpacked up to a
// bound, and one that is no revision, or not the one that its Secret is named
// after, is a *DecodeError that names the Secret. The others of the release
// stay readable.
package storage
