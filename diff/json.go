package diff

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// SchemaError is returned when a document is not a report that this version reads.
type SchemaError struct {
	// Schema is the document's schema; empty if it has none.
	Schema string
}

func (e *SchemaError) Error() string {
	if e.Schema == "" {
		return "report: the document has no schema, want " + ReportSchema
	}
	return fmt.Sprintf("report: unknown schema %q, want %s", e.Schema, ReportSchema)
}

// MarshalJSON writes the report with its schema.
func (r Report) MarshalJSON() ([]byte, error) {
	type bare Report
	if r.Changes == nil {
		r.Changes = []Change{}
	}
	return json.Marshal(struct {
		Schema  string `json:"schema"`
		Summary string `json:"summary"`
		bare
	}{ReportSchema, r.Summary(), bare(r)})
}

// UnmarshalJSON reads what MarshalJSON writes. It returns a [*SchemaError] for a
// document with another schema. The summary is ignored: it follows from the rest.
func (r *Report) UnmarshalJSON(data []byte) error {
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if head.Schema != ReportSchema {
		return &SchemaError{Schema: head.Schema}
	}
	type bare Report
	var b bare
	if err := json.Unmarshal(data, &b); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	*r = Report(b)
	return nil
}

// UnmarshalJSON reads a field; its values get the types that Field documents,
// int64 for integral numbers.
func (f *Field) UnmarshalJSON(data []byte) error {
	type bare Field
	var b bare
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&b); err != nil {
		return err
	}
	for _, v := range []*any{&b.Base, &b.Live, &b.Desired} {
		var err error
		if *v, err = plain(*v); err != nil {
			return fmt.Errorf("field %s: %w", b.Path, err)
		}
		*v = revived(*v)
	}
	*f = Field(b)
	return nil
}

// decode reads any JSON value into plain form.
func decode(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	return plain(v)
}
