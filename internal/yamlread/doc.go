// Package yamlread reads the YAML that templates and values files are mostly
// made of, many times faster than a whole YAML parser: block mappings and
// sequences, plain and quoted scalars on one line, literal blocks, comments. It
// does not guess: what it is not sure of it leaves to sigs.k8s.io/yaml, which is
// also the oracle in its tests, so that every text means the same to both.
package yamlread
