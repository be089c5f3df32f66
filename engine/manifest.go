package engine

import (
	"fmt"
	"iter"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/render"
)

// parseManifest reads the objects of a stored manifest, which another program
// may have written: empty documents are skipped, and Lists are expanded.
func parseManifest(text string) ([]render.Object, error) { return parseManifestAfter(text, nil) }

// documents are the objects by the text of their documents.
func documents(objects []render.Object) map[string]render.Object {
	out := make(map[string]render.Object, len(objects))
	for _, o := range objects {
		if o.Text != "" {
			out[o.Text] = o
		}
	}
	return out
}

// parseManifestAfter is parseManifest for a manifest much of which was parsed
// already: an object of the same text is shared, and must not be changed.
func parseManifestAfter(text string, known map[string]render.Object) ([]render.Object, error) {
	var out []render.Object
	for doc := range split(text) {
		source := sourceOf(doc)
		o, ok := known[doc] // of a manifest that was read before
		if !ok {
			o, ok = known[strings.TrimSuffix(strings.TrimPrefix(doc, "# Source: "+source+"\n"), "\n")]
		}
		if ok && o.Source == source {
			out = append(out, o)
			continue
		}
		json, err := yaml.YAMLToJSON([]byte(doc))
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

// split iterates over the documents of a manifest, as the YAMLReader of
// apimachinery does: by lines with three dashes and perhaps a comment. That one
// copies each document twice, which is an eighth of the memory of planning a
// thousand objects.
func split(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		from, at := 0, 0
		for line := range strings.Lines(text) {
			begin := at
			at += len(line)
			rest, ok := strings.CutPrefix(line, "---")
			if rest = strings.TrimSpace(rest); !ok || rest != "" && rest[0] != '#' {
				continue
			}
			if from < begin && !yield(text[from:begin]) {
				return
			}
			from = at
		}
		if from < len(text) {
			yield(strings.TrimSuffix(text[from:], "\n") + "\n")
		}
	}
}

// unknownSource is the source of an object whose template is not known.
const unknownSource = "manifest"

// sourceOf reads the comment that names the template of a document.
func sourceOf(doc string) string {
	for line := range strings.Lines(doc) {
		if s, ok := strings.CutPrefix(line, "# Source: "); ok {
			return strings.Clone(strings.TrimSpace(s)) // or all of the manifest stays in memory
		}
	}
	return unknownSource
}
