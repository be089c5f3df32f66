// Package redact finds secret values in text, in the forms that programs give
// them.
//
// A [Set] learns values, and what is in them: the lines and leaves of JSON, YAML,
// properties, connection strings, docker logins, PEM files. [Set.Spans] then
// returns where a text shows one of them, in any case, wrapped or indented, and
// escaped or encoded as [Set.Spans] lists, also one inside the other.
//
// The cost of learning and of searching is linear in the size of the values and
// of the text. Short values are found by a table of their beginnings; of long
// ones, pieces at regular distances are in a table, so that any excerpt has one
// in it, which is then extended. An automaton over all values (Aho-Corasick)
// would also be linear, but takes a node of some 50 to 1000 bytes for each byte
// of a Secret, which may have a million, and finds no excerpts.
package redact
