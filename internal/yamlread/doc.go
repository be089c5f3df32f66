// Package yamlread reads YAML from outside: everything that comes from a chart, a
// values file, a kustomization, a repository's index or a stored revision goes
// through a [Decoder].
//
//	var values map[string]any
//	err := yamlread.Decoder{Account: account}.Unmarshal(text, &values)
//	object, err := yamlread.Decoder{}.Object(text) // numbers as in Kubernetes
//	err = yamlread.Decoder{}.Check(text)           // before another parser reads it
//
// A Decoder charges an [Account] for the memory that a text takes, with every
// alias counted as a copy of its anchor, before the text is parsed; so the cost
// of many texts with one account has one bound. The account is a [Budget], or
// the caller's own, whose error comes back unchanged. Results and errors are
// otherwise those of sigs.k8s.io/yaml, which fuzzing checks.
//
// [Mapping] is the fast path within: it reads the YAML that templates, values files
// and CustomResourceDefinitions mostly consist of many times faster than a full
// parser (block mappings and sequences, scalars on one line or several, literal and
// folded blocks, comments), and leaves every other text to sigs.k8s.io/yaml.
package yamlread
