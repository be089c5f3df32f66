// Package observe follows the releases of a cluster by watches: their stored
// revisions, the objects of the kinds that they use, and the definitions of
// kinds.
//
// It keeps no objects. What a watch sends is reduced to a [record] of some 300
// bytes on receipt: which release the object belongs to, its resourceVersion, a
// hash of its content, whether it is ready, and hashes of its managedFields, by
// which the next event shows who has changed it.
//
// There is one feed for each kind that a release uses, of the objects that have
// Helm's label; in the whole cluster where that is permitted, otherwise in each
// namespace that has such objects. A feed ends when no release uses its kind.
//
// An [Observer] hands out what it has seen by release: however slow its caller
// is, nothing is lost, and what is kept for one release is bounded.
package observe
