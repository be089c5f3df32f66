package kustomize

import (
	"bytes"
	"errors"

	"sigs.k8s.io/kustomize/kyaml/kio"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// maxUnfolded is how many nodes the aliases of a text may unfold to.
const maxUnfolded = 100_000

// checkAliases refuses a text whose aliases unfold to too much: kustomize writes
// them out without a bound, and never ends with one that contains itself. Texts
// without any pass unread.
func checkAliases(subject string, text []byte) error {
	if !bytes.ContainsRune(text, '*') || !bytes.ContainsRune(text, '&') {
		return nil
	}
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		return refusal(subject, "correct the YAML", "%w", err)
	}
	u := unfolding{sizes: map[*yaml.Node]int{}, open: map[*yaml.Node]bool{}}
	total := 0
	for _, n := range nodes {
		size, ok := u.size(n.YNode())
		if total += size; !ok || total > maxUnfolded && total > len(text) {
			return &LimitError{Limit: "YAMLAliases", Max: maxUnfolded, Subject: subject}
		}
	}
	return nil
}

type unfolding struct {
	sizes map[*yaml.Node]int
	open  map[*yaml.Node]bool
}

// size counts the nodes that a node unfolds to, up to a bound; false is a node
// that contains itself.
func (u *unfolding) size(n *yaml.Node) (int, bool) {
	if n == nil {
		return 0, true
	}
	if n.Kind == yaml.AliasNode {
		return u.size(n.Alias)
	}
	if known, ok := u.sizes[n]; ok {
		return known, true
	}
	if u.open[n] {
		return 0, false
	}
	u.open[n] = true
	total := 1
	for _, child := range n.Content {
		size, ok := u.size(child)
		if !ok {
			return 0, false
		}
		total = min(total+size, 1<<40)
	}
	delete(u.open, n)
	u.sizes[n] = total
	return total, true
}

// isLimit says that YAML was refused for its aliases by the parser itself.
func excessive(err error) bool {
	return err != nil && (bytes.Contains([]byte(err.Error()), []byte("excessive aliasing")) || errors.As(err, new(*LimitError)))
}
