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

// crdFile is a file below crds/ as it was parsed, with what that was charged.
type crdFile struct {
	objects   []Object
	documents int
	bytes     int64
}

// addCRDs adds the objects of a file below crds/. It is parsed by the first
// render; later ones share the result, and are charged the same for it.
func (c *Chart) addCRDs(m *Manifest, p *parsing, file chartfile.File) error {
	if len(file.Data) == 0 {
		return nil
	}
	key := &file.Data[0]
	known, ok := c.crds.byText.Load(key)
	if ok {
		if err := p.again(known.(*crdFile)); err != nil {
			limit := yamlLimit(err)
			if limit == nil { // the context has ended
				return err
			}
			return &Error{Op: "parse", File: file.Name, Err: limit, Hint: limitHint(limit.Limit)}
		}
	} else {
		parsed, err := p.parseCRDs(file)
		if err != nil {
			return err
		}
		known, _ = c.crds.byText.LoadOrStore(key, parsed)
	}
	for _, o := range known.(*crdFile).objects {
		m.CRDs = append(m.CRDs, Object{shared(o.Unstructured), file.Name, o.Text})
	}
	return nil
}

// again charges what parsing a file was charged.
func (p *parsing) again(file *crdFile) error {
	for range file.documents {
		if err := p.next(); err != nil {
			return err
		}
	}
	return p.spent.Charge(file.bytes)
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

func (p *parsing) parseCRDs(file chartfile.File) (*crdFile, error) {
	documents, bytes := p.count, p.spent.Memory()
	var objects []Object
	text := string(file.Data)
	for d := range yamlread.Documents(text) {
		var err error
		if objects, err = p.addCRD(objects, file.Name, d.Closed(text), d.Text); err != nil {
			return nil, asWritten(documentError(file.Name, d, err))
		}
	}
	return &crdFile{objects, p.count - documents, p.spent.Memory() - bytes}, nil
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
