package engine

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/render"
)

// parseManifest reads the objects of a stored manifest, which another writer
// may have made: documents that hold nothing are passed over, and Lists are
// expanded.
func parseManifest(text string) ([]render.Object, error) { return parseManifestAfter(text, nil) }

// documents are the objects by the text of their documents, as a manifest
// holds them.
func documents(objects []render.Object) map[string]render.Object {
	out := make(map[string]render.Object, len(objects))
	for _, o := range objects {
		if o.Text != "" {
			out[o.Text] = o // of a manifest that was read before
			out["# Source: "+o.Source+"\n"+o.Text+"\n"] = o
		}
	}
	return out
}

// parseManifestAfter is parseManifest for a manifest much of which is known
// already: an object is shared with that of the same text, and not to be
// changed.
func parseManifestAfter(text string, known map[string]render.Object) ([]render.Object, error) {
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var out []render.Object
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("split the manifest: %w", err)
		}
		if o, ok := known[string(doc)]; ok {
			out = append(out, o)
			continue
		}
		source := sourceOf(string(doc))
		json, err := yaml.YAMLToJSON(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		if string(json) == "null" {
			continue
		}
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(json); err != nil {
			return nil, fmt.Errorf("%s: %w", source, err)
		}
		if !u.IsList() {
			out = append(out, render.Object{Unstructured: u, Source: source, Text: string(doc)})
			continue
		}
		err = u.EachListItem(func(o runtime.Object) error {
			item, ok := o.(*unstructured.Unstructured)
			if !ok {
				return fmt.Errorf("%s: an item of the list is no object", source)
			}
			out = append(out, render.Object{Unstructured: item, Source: source})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}

// noSource stands for a template that is not known.
const noSource = "manifest"

// sourceOf reads the comment that says which template made a document.
func sourceOf(doc string) string {
	for line := range strings.Lines(doc) {
		if s, ok := strings.CutPrefix(line, "# Source: "); ok {
			return strings.TrimSpace(s)
		}
	}
	return noSource
}
