package engine

// FieldValidation decides about fields that the schema of an object's kind does
// not have, as the parameter fieldValidation of the Kubernetes API does, and
// about items of a list that have the keys of another one.
type FieldValidation string

const (
	// FieldValidationStrict makes them a problem of the plan. The default.
	FieldValidationStrict FieldValidation = ""
	// FieldValidationWarn leaves unknown fields out, applies the last one of
	// several items, and warns of both in the report. What is stored in the
	// history is always treated so, since it cannot be fixed any more.
	FieldValidationWarn FieldValidation = "Warn"
)
