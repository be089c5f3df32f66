package render

import (
	"context"
	"maps"
	"slices"
	"sync"
	"unsafe"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// parsedCRDs keeps the objects of a chart's files below crds/, which are no
// templates, by the address of their text.
type parsedCRDs struct {
	outlines sync.Map // func() []outlined
	read     sync.Map // *crdFile
	ahead    sync.Once
}

// outlined is a document of a file below crds/; its outline is nil where it has none.
type outlined struct {
	yamlread.Document
	closed  string
	outline *yamlread.Outline
}

// maxOutlined bounds the documents of a file that are outlined: files with more are
// decoded as they are read.
const maxOutlined = 1000

// outlinesOf returns the documents of a file with their outlines, made once for the
// chart. It is nil for a file with very many.
func (p *parsedCRDs) outlinesOf(file chartfile.File) []outlined {
	known, ok := p.outlines.Load(&file.Data[0])
	if !ok {
		known, _ = p.outlines.LoadOrStore(&file.Data[0], sync.OnceValue(func() []outlined { return outline(file.Data) }))
	}
	return known.(func() []outlined)()
}

// checkedFields are those that checkObject looks at, and items that make a List.
var checkedFields = []string{"apiVersion", "kind", "metadata", "items"}

func outline(data []byte) []outlined {
	var out []outlined
	text := textOf(data)
	for d := range yamlread.Documents(text) {
		if len(out) == maxOutlined {
			return nil
		}
		doc := outlined{Document: d, closed: d.Closed(text)}
		if o, ok := yamlread.OutlineOf(doc.closed, checkedFields...); ok {
			doc.outline = o
		}
		out = append(out, doc)
	}
	return out
}

// textOf returns the text of a file of a chart without a copy: they are megabytes, and
// nothing changes them.
func textOf(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// readAhead begins what the first render of a chart needs and the templates do not:
// the outlines of the files below crds/ and the digest of the chart. End waits for it.
func (c *Chart) readAhead(ctx context.Context, crds []chartfile.File) (end func()) {
	var g sync.WaitGroup
	c.crds.ahead.Do(func() {
		g.Go(func() { c.digest() })
		g.Go(func() {
			for _, file := range slices.Backward(crds) { // the render comes from the other end
				if ctx.Err() == nil && len(file.Data) > 0 {
					c.crds.outlinesOf(file)
				}
			}
		})
	})
	return g.Wait
}

// crdFile is a file below crds/ as it was read, with what that was charged.
type crdFile struct {
	crds      []crd
	documents int
	bytes     int64
}

// crd is an object of a file below crds/. Content decodes it once, for all renders
// of the chart; deferred is whether that is left until someone needs it.
type crd struct {
	source, text string
	content      func() map[string]any
	deferred     bool
}

// object returns the object with a copy of its metadata. All below is shared: what
// is large in a CRD is its spec.
func (c crd) object() Object {
	content := maps.Clone(c.content())
	if metadata, ok := content["metadata"].(map[string]any); ok {
		content["metadata"] = runtime.DeepCopyJSON(metadata)
	}
	return Object{&unstructured.Unstructured{Object: content}, c.source, c.text}
}

// addCRDs adds the objects of a file below crds/. It is read by the first render;
// later ones share the result, and are charged the same for it.
func (c *Chart) addCRDs(m *Manifest, p *parsing, file chartfile.File) error {
	if len(file.Data) == 0 {
		return nil
	}
	key := &file.Data[0]
	known, ok := c.crds.read.Load(key)
	if ok {
		if err := p.again(known.(*crdFile)); err != nil {
			limit := yamlLimit(err)
			if limit == nil { // the context has ended
				return err
			}
			return &Error{Op: "parse", File: file.Name, Err: limit, Hint: limitHint(limit.Limit)}
		}
	} else {
		read, err := p.readCRDs(file, c.crds.outlinesOf(file))
		if err != nil {
			return err
		}
		known, _ = c.crds.read.LoadOrStore(key, read)
		c.crds.outlines.Delete(key) // which the first read needs only
	}
	for _, crd := range known.(*crdFile).crds {
		crd.source = file.Name
		m.crds = append(m.crds, crd)
	}
	return nil
}

// again charges what reading a file was charged.
func (p *parsing) again(file *crdFile) error {
	for range file.documents {
		if err := p.next(); err != nil {
			return err
		}
	}
	return p.spent.Charge(file.bytes)
}

func (p *parsing) readCRDs(file chartfile.File, outlines []outlined) (*crdFile, error) {
	documents, bytes := p.count, p.spent.Memory()
	var crds []crd
	read := func(d outlined) error {
		more, err := p.readCRD(file.Name, d)
		if err != nil {
			return asWritten(documentError(file.Name, d.Document, err))
		}
		crds = append(crds, more...)
		return nil
	}
	for _, d := range outlines {
		if err := read(d); err != nil {
			return nil, err
		}
	}
	if outlines == nil {
		text := textOf(file.Data)
		for d := range yamlread.Documents(text) {
			if err := read(outlined{Document: d, closed: d.Closed(text)}); err != nil {
				return nil, err
			}
		}
	}
	return &crdFile{crds, p.count - documents, p.spent.Memory() - bytes}, nil
}

// readCRD reads a document: one with an outline only as far as that takes to find all
// that can be wrong with it, any other whole.
func (p *parsing) readCRD(source string, d outlined) ([]crd, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	var content map[string]any
	if d.outline != nil {
		if err := d.outline.Charge(p.spent); err != nil {
			return nil, err
		}
		head := Object{Unstructured: &unstructured.Unstructured{Object: d.outline.Keys()}, Source: source}
		if err := checkObject(head, false); err != nil {
			return nil, err
		}
		if !head.IsList() {
			return []crd{{text: d.Text, content: sync.OnceValue(func() map[string]any {
				content := d.outline.Object()
				dropNulls(content)
				return content
			}), deferred: head.GetKind() == "CustomResourceDefinition"}}, nil
		}
		content = d.outline.Object()
	} else {
		var err error
		if content, err = parseObject(p.decoder, d.closed); err != nil || len(content) == 0 {
			return nil, err
		}
	}
	o := Object{&unstructured.Unstructured{Object: content}, source, d.Text}
	if err := checkObject(o, false); err != nil {
		return nil, err
	}
	objects := []Object{o}
	if o.IsList() {
		var err error
		if objects, err = p.expand(nil, o, 0); err != nil {
			return nil, err
		}
	}
	crds := make([]crd, len(objects))
	for i, o := range objects {
		crds[i] = crd{text: o.Text, content: func() map[string]any { return o.Object }}
	}
	return crds, nil
}
