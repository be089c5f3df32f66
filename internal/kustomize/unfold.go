package kustomize

import (
	"bytes"
	"errors"

	"sigs.k8s.io/kustomize/kyaml/kio"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// check refuses a text that takes too much memory or nests too deep, with its
// aliases expanded: kustomize expands them without a bound.
func (l Limits) check(subject string, text []byte) error {
	decoder := yamlread.Decoder{Account: yamlread.NewBudget(l.MemoryBytes), Depth: l.DocumentDepth}
	err := decoder.Check(text)
	var limit *yamlread.LimitError
	if errors.As(err, &limit) {
		return &LimitError{Limit: limit.Limit, Max: limit.Max, Subject: subject}
	}
	return err
}

// weigh reads a text of objects or patches, and returns what it costs kustomize.
// It notes what they have.
func (l Limits) weigh(subject string, text []byte, has *values) (weight, error) {
	has.text(text)
	w := weight{files: 1, bytes: int64(len(text))}
	if err := l.check(subject, text); err != nil {
		return w, err
	}
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		return w, refusal(subject, "correct the YAML", "%w", err)
	}
	for _, n := range nodes {
		size := has.object(n)
		if size.Depth > int64(l.DocumentDepth) {
			return w, &LimitError{Limit: "DocumentDepth", Max: int64(l.DocumentDepth), Subject: subject}
		}
		w.nodes, w.squares = plus(w.nodes, size.Nodes), plus(w.squares, size.Squares)
		w.deep = plus(w.deep, times(size.Nodes, size.Depth*size.Depth)/deepSteps)
		w.items, w.longest = plus(w.items, size.Items), max(w.longest, size.Longest)
		w.objects++
		w.lists(n)
	}
	return w, nil
}

// stepsPerListed is what a node in a list inside of a list takes.
const stepsPerListed = 1000

// lists adds the objects in a list. Lists inside of lists are written out and read
// again at each level.
func (w *weight) lists(n *kyaml.RNode) {
	if n.YNode().Kind != kyaml.MappingNode {
		return
	}
	items := n.Field("items")
	if items == nil {
		return
	}
	w.objects += int64(len(items.Value.Content()))
	elements, err := items.Value.Elements()
	if err != nil {
		return
	}
	for _, element := range elements {
		if inner := element.Field("items"); inner != nil && len(inner.Value.Content()) > 0 {
			w.visits = plus(w.visits, times(stepsPerListed, yamlread.SizeOf(element.YNode()).Nodes))
			w.lists(element)
		}
	}
}
