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
	_, err := weigh(subject, text)
	return err
}

// weigh reads a text of objects or patches, and says what it costs kustomize.
func weigh(subject string, text []byte) (weight, error) {
	w := weight{files: 1, bytes: int64(len(text))}
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		return w, refusal(subject, "correct the YAML", "%w", err)
	}
	u := unfolding{sizes: map[*yaml.Node]size{}, open: map[*yaml.Node]bool{}}
	for _, n := range nodes {
		s, ok := u.size(n.YNode())
		if !ok || u.aliases && s.nodes > maxUnfolded {
			return w, &LimitError{Limit: "YAMLAliases", Max: maxUnfolded, Subject: subject}
		}
		w.nodes, w.squares = w.nodes+s.nodes, w.squares+s.squares
		w.objects++
		if items := n.Field("items"); items != nil {
			w.objects += int64(len(items.Value.Content()))
		}
	}
	return w, nil
}

// size is how much a node unfolds to: the nodes, and for each mapping the square
// of the number of its keys, because that is how kustomize looks for one.
type size struct{ nodes, squares int64 }

type unfolding struct {
	sizes   map[*yaml.Node]size
	open    map[*yaml.Node]bool
	aliases bool // there are some
}

// size is that of a node, up to a bound; false is a node that contains itself.
func (u *unfolding) size(n *yaml.Node) (size, bool) {
	if n == nil {
		return size{}, true
	}
	if n.Kind == yaml.AliasNode {
		u.aliases = true
		return u.size(n.Alias)
	}
	if known, ok := u.sizes[n]; ok {
		return known, true
	}
	if u.open[n] {
		return size{}, false
	}
	u.open[n] = true
	total := size{nodes: 1}
	if n.Kind == yaml.MappingNode {
		keys := int64(len(n.Content) / 2)
		total.squares = keys * keys
	}
	for _, child := range n.Content {
		below, ok := u.size(child)
		if !ok {
			return size{}, false
		}
		total.nodes, total.squares = min(total.nodes+below.nodes, 1<<40), min(total.squares+below.squares, 1<<50)
	}
	delete(u.open, n)
	u.sizes[n] = total
	return total, true
}

// excessive says that YAML was refused for its aliases by the parser itself.
func excessive(err error) bool {
	return err != nil && (bytes.Contains([]byte(err.Error()), []byte("excessive aliasing")) || errors.As(err, new(*LimitError)))
}
