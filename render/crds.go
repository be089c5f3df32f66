package render

import (
	"maps"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// parsedCRDs keeps the objects of a chart's files below crds/, which are no
// templates, by the address of their text.
type parsedCRDs struct{ byText sync.Map }

// addCRDs adds the objects of a file below crds/. It is parsed by the first
// render; later ones share the result.
func (c *Chart) addCRDs(m *Manifest, p *parsing, file chartfile.File) error {
	if len(file.Data) == 0 {
		return nil
	}
	key := &file.Data[0]
	known, ok := c.crds.byText.Load(key)
	if !ok {
		objects, err := p.parseCRDs(file)
		if err != nil {
			return err
		}
		known, _ = c.crds.byText.LoadOrStore(key, objects)
	}
	for _, o := range known.([]Object) {
		if ok { // else it has been counted
			if err := p.next(); err != nil {
				return err
			}
		}
		m.CRDs = append(m.CRDs, Object{shared(o.Unstructured), file.Name, o.Text})
	}
	return nil
}

// shared returns an object of its own with all below its metadata shared: what
// is large in a CRD is its spec.
func shared(u *unstructured.Unstructured) *unstructured.Unstructured {
	content := maps.Clone(u.Object)
	if metadata, ok := content["metadata"].(map[string]any); ok {
		content["metadata"] = runtime.DeepCopyJSON(metadata)
	}
	return &unstructured.Unstructured{Object: content}
}

func (p *parsing) parseCRDs(file chartfile.File) ([]Object, error) {
	var objects []Object
	text := string(file.Data)
	for d := range yamlread.Documents(text) {
		var err error
		if objects, err = p.addCRD(objects, file.Name, d.Closed(text), d.Text); err != nil {
			return nil, asWritten(documentError(file.Name, d, err))
		}
	}
	return objects, nil
}

func (p *parsing) addCRD(objects []Object, source, closed, text string) ([]Object, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	content, err := parseObject(p.decoder, closed)
	if err != nil || len(content) == 0 {
		return objects, err
	}
	o := Object{&unstructured.Unstructured{Object: content}, source, text}
	if err := checkObject(o, false); err != nil {
		return nil, err
	}
	if o.IsList() {
		return p.expand(objects, o, 0)
	}
	return append(objects, o), nil
}
