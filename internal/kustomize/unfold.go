package kustomize

import (
	"bytes"
	"errors"

	"sigs.k8s.io/kustomize/kyaml/kio"

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
func (l Limits) weigh(subject string, text []byte) (weight, error) {
	w := weight{files: 1, bytes: int64(len(text))}
	if err := l.check(subject, text); err != nil {
		return w, err
	}
	nodes, err := (&kio.ByteReader{Reader: bytes.NewReader(text), OmitReaderAnnotations: true, DisableUnwrapping: true}).Read()
	if err != nil {
		return w, refusal(subject, "correct the YAML", "%w", err)
	}
	for _, n := range nodes {
		size := yamlread.SizeOf(n.YNode())
		if size.Depth > int64(l.DocumentDepth) {
			return w, &LimitError{Limit: "DocumentDepth", Max: int64(l.DocumentDepth), Subject: subject}
		}
		w.nodes, w.squares = plus(w.nodes, size.Nodes), plus(w.squares, size.Squares)
		w.deep = plus(w.deep, times(size.Nodes, size.Depth*size.Depth)/deepSteps)
		w.objects++
		if items := n.Field("items"); items != nil {
			w.objects += int64(len(items.Value.Content()))
		}
	}
	return w, nil
}
