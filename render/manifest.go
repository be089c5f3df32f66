package render

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Manifest is what a render made: plain data, encoding/json both ways. Treat it
// as read-only.
type Manifest struct {
	// Objects of the release in install order, without hooks and CRDs. Lists
	// are expanded into their items. No two have the same group, kind,
	// namespace and name.
	Objects []Object `json:"objects,omitempty"`
	// Hooks in Helm's order: by kind, then by source. [Manifest.HooksOn] has
	// those of one event in the order in which they run.
	Hooks []Hook `json:"hooks,omitempty"`
	// CRDs of the folders crds/ of the chart and its enabled subcharts, in
	// Helm's order. They are not templates. With [Input].DeferCRDs, those that are
	// left out here are among [Manifest.DecodeCRDs].
	CRDs []Object `json:"crds,omitempty"`
	// Notes is the rendered templates/NOTES.txt of the chart, "" if none.
	Notes string `json:"notes,omitempty"`
	// Files is the rendered text by template path, byte for byte what Helm's
	// engine returns: notes and empty texts included, partials not.
	Files map[string]string `json:"files,omitempty"`
	// Chart is what was rendered.
	Chart ChartInfo `json:"chart"`
	// Name and Namespace are those of the release.
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	// Values are the user-supplied values that went in, without the chart's own.
	Values Values `json:"values"`
	// Capabilities are those that the templates saw.
	Capabilities Capabilities `json:"capabilities"`

	// documents are what was printed, in order, when Lists were expanded, so
	// that WriteYAML shows them as Helm does. Else nil.
	documents []document
	// crds are what CRDs is made of, and with Input.DeferCRDs more than that. Nil
	// where CRDs are all there are.
	crds []crd
}

// A document is a YAML document as Helm would print it.
type document struct {
	Source string `json:"source"`
	Text   string `json:"text"`
}

// WriteYAML writes what helm template prints: objects in install order, then
// hooks, each under a comment with its source; no CRDs and no notes.
func (m *Manifest) WriteYAML(w io.Writer) error {
	var b strings.Builder
	docs, err := m.printed()
	if err != nil {
		return err
	}
	for _, d := range docs {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", d.Source, d.Text)
	}
	text := strings.TrimSpace(b.String()) + "\n"
	if _, err := io.WriteString(w, text); err != nil {
		return err
	}
	for _, h := range m.Hooks {
		text, err := h.Document()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "---\n# Source: %s\n%s\n", h.Source, text); err != nil {
			return err
		}
	}
	return nil
}

// Text is the objects as Helm stores them in a release's manifest: what
// [Manifest.WriteYAML] prints, without the hooks.
func (m *Manifest) Text() string { return strings.Join(m.Parts(), "") }

// Parts are the parts of Text, one after the other. Those that are an object's
// own Text are that very string: a manifest can be megabytes, which a caller that
// keeps it need not hold twice. An object that has no text, and that YAML cannot
// hold, is missing: [Object.Document] returns why.
func (m *Manifest) Parts() []string {
	docs, _ := m.printed()
	parts := make([]string, 0, 3*len(docs))
	opening, of := "", ""
	for i, d := range docs {
		if i == 0 || d.Source != of {
			opening, of = "---\n# Source: "+d.Source+"\n", d.Source
		}
		parts = append(parts, opening, d.Text, "\n")
	}
	return parts
}

// printed lists the documents of the objects. The error is the first of those
// that are missing.
func (m *Manifest) printed() (docs []document, failed error) {
	if m.documents != nil {
		return m.documents, nil
	}
	docs = make([]document, 0, len(m.Objects))
	for _, o := range m.Objects {
		text, err := o.Document()
		if err != nil {
			failed = cmp.Or(failed, err)
			continue
		}
		docs = append(docs, document{Source: o.Source, Text: text})
	}
	return docs, failed
}

// HooksOn lists the hooks of an event in the order in which Helm runs them: by
// weight, then by name, then in the order of Hooks.
func (m *Manifest) HooksOn(event HookEvent) []Hook {
	var hooks []Hook
	for _, h := range m.Hooks {
		if h.On(event) {
			hooks = append(hooks, h)
		}
	}
	slices.SortStableFunc(hooks, func(a, b Hook) int {
		return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.GetName(), b.GetName()))
	})
	return hooks
}

// plainManifest has the fields of Manifest without its methods.
type plainManifest Manifest

type manifestJSON struct {
	*plainManifest
	Documents []document `json:"documents,omitempty"`
}

// DecodeCRDs returns all CRDs of the folders crds/ in Helm's order: CRDs, and those
// that [Input].DeferCRDs left out of them. These are decoded by the first call, once
// for all renders of the chart. It may be called by any number of goroutines.
func (m *Manifest) DecodeCRDs() []Object {
	if m.crds == nil {
		return m.CRDs
	}
	return objectsOf(m.crds)
}

func objectsOf(crds []crd) []Object {
	var objects []Object
	for _, c := range crds {
		objects = append(objects, c.object())
	}
	return objects
}

// MarshalJSON writes all of the manifest.
func (m Manifest) MarshalJSON() ([]byte, error) {
	if m.crds != nil {
		m.CRDs = make([]Object, len(m.crds))
		for i, c := range m.crds {
			if m.CRDs[i] = (Object{Source: c.source, Text: c.text}); c.text == "" {
				m.CRDs[i] = c.object()
			}
		}
	}
	return json.Marshal(manifestJSON{(*plainManifest)(&m), m.documents})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (m *Manifest) UnmarshalJSON(data []byte) error {
	var plain plainManifest
	j := manifestJSON{plainManifest: &plain}
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*m = Manifest(plain)
	m.documents = j.Documents
	return nil
}
