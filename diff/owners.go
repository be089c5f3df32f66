package diff

import (
	"bytes"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// owners is which managers own the fields of a live object. A nil *owners means
// that no field has an owner.
type owners struct {
	ours   []*fieldpath.Set
	others []owner
	secret bool // of a Secret: the owner of stringData.x owns data.x
}

type owner struct {
	manager string
	time    *time.Time
	leaves  *fieldpath.Set
}

// ownersOf parses the managedFields of live. Entries that cannot be parsed are
// in the warnings.
func ownersOf(live *unstructured.Unstructured, manager string, former []string) (*owners, []string) {
	if live == nil || manager == "" {
		return nil, nil
	}
	var warnings []string
	w := &owners{secret: ObjectOf(live).isSecret()}
	for _, e := range live.GetManagedFields() {
		if e.FieldsV1 == nil || e.Subresource == "status" {
			continue
		}
		set := &fieldpath.Set{}
		if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
			warnings = append(warnings, "the managed fields of "+e.Manager+" cannot be parsed: "+err.Error())
			continue
		}
		mine := e.Manager == manager && e.Operation == metav1.ManagedFieldsOperationApply && e.Subresource == ""
		if mine || slices.Contains(former, e.Manager) {
			w.ours = append(w.ours, set)
			continue
		}
		o := owner{manager: e.Manager, leaves: set.Leaves()}
		if e.Time != nil {
			t := e.Time.UTC()
			o.time = &t
		}
		w.others = append(w.others, o)
	}
	return w, warnings
}

// other returns the other manager that owns the value at p, itself or as part of
// an atomic value; nil if there is none.
func (w *owners) other(p path) *owner {
	if w == nil || len(w.others) == 0 {
		return nil
	}
	fp := p.fieldpath()
	for i := range w.others {
		for n := 1; n <= len(fp); n++ {
			if w.others[i].leaves.Has(fp[:n]) {
				return &w.others[i]
			}
		}
	}
	if w.secret && len(p) > 1 && p[0].name == "data" {
		return w.other(append(path{{name: "stringData"}}, p[1:]...))
	}
	return nil
}

// othersBelow reports whether another manager owns p or anything below it.
func (w *owners) othersBelow(p path) bool {
	if w == nil || len(w.others) == 0 {
		return false
	}
	if w.other(p) != nil {
		return true
	}
	fp := p.fieldpath()
	for i := range w.others {
		s := w.others[i].leaves
		for _, e := range fp {
			s = s.WithPrefix(e)
		}
		if !s.Empty() {
			return true
		}
	}
	return false
}

// mine reports whether our own manager owns the value at p.
func (w *owners) mine(p path) bool {
	if w == nil {
		return false
	}
	fp := p.fieldpath()
	for _, s := range w.ours {
		if s.Has(fp) {
			return true
		}
		for _, e := range fp {
			s = s.WithPrefix(e)
		}
		if !s.Empty() {
			return true
		}
	}
	return false
}

func (p path) fieldpath() fieldpath.Path {
	out := make(fieldpath.Path, 0, len(p))
	for _, s := range p {
		switch s.kind {
		case stepField:
			name := s.name
			out = append(out, fieldpath.PathElement{FieldName: &name})
		case stepItem:
			keys := make(value.FieldList, 0, len(s.keys))
			for _, kv := range s.keys {
				keys = append(keys, value.Field{Name: kv.name, Value: value.NewValueInterface(kv.value)})
			}
			out = append(out, fieldpath.PathElement{Key: &keys})
		case stepElement:
			v := value.NewValueInterface(s.value)
			out = append(out, fieldpath.PathElement{Value: &v})
		case stepIndex:
			i := s.index
			out = append(out, fieldpath.PathElement{Index: &i})
		}
	}
	return out
}

// FormatPath returns a path of managedFields in the notation of [Field].
func FormatPath(fp fieldpath.Path) string {
	p := make(path, 0, len(fp))
	for _, e := range fp {
		switch {
		case e.FieldName != nil:
			p = append(p, step{kind: stepField, name: *e.FieldName})
		case e.Key != nil:
			s := step{kind: stepItem}
			for _, k := range *e.Key {
				s.keys = append(s.keys, keyValue{k.Name, k.Value.Unstructured()})
			}
			p = append(p, s)
		case e.Value != nil:
			p = append(p, step{kind: stepElement, value: (*e.Value).Unstructured()})
		case e.Index != nil:
			p = append(p, step{kind: stepIndex, index: *e.Index})
		}
	}
	return p.String()
}
