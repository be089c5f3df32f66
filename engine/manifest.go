package engine

import (
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// parseManifest reads the objects of a stored manifest, which another program
// may have written: empty documents are skipped, and Lists are expanded.
func parseManifest(text string) ([]render.Object, error) {
	return storage.Objects(storage.NewDecoder(), text, nil)
}

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

// unknownSource is the source of an object whose template is not known.
const unknownSource = storage.UnknownSource
