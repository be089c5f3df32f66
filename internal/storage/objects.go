package storage

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
	"github.com/fairlead-dev/fairlead/render"
)

// NewDecoder returns a decoder for the manifests that one call reads.
func NewDecoder() yamlread.Decoder {
	return yamlread.Decoder{Account: yamlread.NewBudget(maxReading)}
}

// Objects reads the objects of a stored manifest, which another program may have
// written: empty documents are skipped, and Lists are expanded. Known are
// objects by the text of their documents: one that is among them is shared, and
// must not be changed.
//
// A document with aliases comes to much more than its text. If the documents are
// beyond what the decoder may take, the error is a *render.LimitError.
func Objects(decoder yamlread.Decoder, text string, known map[string]render.Object) ([]render.Object, error) {
	var out []render.Object
	for d := range yamlread.Documents(text) {
		doc := d.Closed(text)
		source := sourceOf(doc)
		o, ok := known[doc] // of a manifest that was read before
		if !ok {
			o, ok = known[strings.TrimSuffix(strings.TrimPrefix(doc, sourceComment+source+"\n"), "\n")]
		}
		if ok && o.Source == source {
			out = append(out, o)
			continue
		}
		content, err := decoder.Object(doc)
		if limit := (*yamlread.LimitError)(nil); errors.As(err, &limit) {
			return nil, &render.LimitError{Limit: limit.Limit, Max: limit.Max, Subject: "the stored manifest of " + source}
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		if content == nil {
			continue
		}
		u := &unstructured.Unstructured{Object: content}
		if u.GetKind() == "" {
			return nil, fmt.Errorf("%s: %w", source, runtime.NewMissingKindErr(doc))
		}
		if !u.IsList() {
			out = append(out, render.Object{Unstructured: u, Source: source, Text: doc})
			continue
		}
		err = u.EachListItem(func(o runtime.Object) error {
			item, ok := o.(*unstructured.Unstructured)
			if !ok {
				return fmt.Errorf("%s: an item of the list is not an object", source)
			}
			out = append(out, render.Object{Unstructured: item, Source: source})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// UnknownSource is the Source of an object whose template is not known.
const UnknownSource = "manifest"

// sourceOf reads the comment that names the template of a document.
func sourceOf(doc string) string {
	for line := range strings.Lines(doc) {
		if s, ok := strings.CutPrefix(line, sourceComment); ok {
			return strings.Clone(strings.TrimSpace(s)) // or all of the manifest stays in memory
		}
	}
	return UnknownSource
}
