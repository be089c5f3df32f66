package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// managers are the entries of managedFields, by their identity.
type managers struct {
	entries map[string]metav1.ManagedFieldsEntry
	order   []string
	sets    fieldpath.ManagedFields
}

// identity returns what distinguishes managers on the API server: everything but
// their fields and time and, for an apply, the API version.
func identity(e metav1.ManagedFieldsEntry) (string, error) {
	e.FieldsV1, e.FieldsType, e.Time = nil, "", nil
	if e.Operation == metav1.ManagedFieldsOperationApply {
		e.APIVersion = ""
	}
	id, err := json.Marshal(e)
	return string(id), err
}

func managersOf(live *unstructured.Unstructured) (*managers, error) {
	m := &managers{entries: map[string]metav1.ManagedFieldsEntry{}, sets: fieldpath.ManagedFields{}}
	for _, e := range live.GetManagedFields() {
		set := &fieldpath.Set{}
		if e.FieldsV1 != nil {
			if err := set.FromJSON(bytes.NewReader(e.FieldsV1.GetRawBytes())); err != nil {
				return nil, fmt.Errorf("managed fields of %s: %w", e.Manager, err)
			}
		}
		id, err := identity(e)
		if err != nil {
			return nil, fmt.Errorf("manager %s: %w", e.Manager, err)
		}
		m.entries[id] = e
		m.order = append(m.order, id)
		m.sets[id] = fieldpath.NewVersionedSet(set, fieldpath.APIVersion(e.APIVersion), e.Operation == metav1.ManagedFieldsOperationApply)
	}
	return m, nil
}

// write sets the managedFields of u. An entry whose fields changed keeps its
// time: only the server knows the new one.
func (m *managers) write(u *unstructured.Unstructured, sets fieldpath.ManagedFields) error {
	ids := slices.Clone(m.order)
	for id := range sets {
		if !slices.Contains(m.order, id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids[len(m.order):])
	var out []metav1.ManagedFieldsEntry
	for _, id := range ids {
		set, ok := sets[id]
		if !ok {
			continue
		}
		e := m.entries[id]
		if old, ok := m.sets[id]; !ok || e.FieldsV1 == nil || !old.Set().Equals(set.Set()) {
			raw, err := set.Set().ToJSON()
			if err != nil {
				return err
			}
			e.FieldsType, e.FieldsV1 = "FieldsV1", metav1.NewFieldsV1(string(raw))
		}
		e.APIVersion = string(set.APIVersion())
		out = append(out, e)
	}
	u.SetManagedFields(out)
	return nil
}
