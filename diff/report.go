package diff

// Report is the changes of a set of objects: plain data, to be printed, stored
// and compared.
//
// It is marshalled by encoding/json; the document contains its schema
// ([ReportSchema]), and an unknown schema is an error.
type Report struct {
	// Title is printed above the report: the release, its namespace, the
	// revisions. Empty: no title.
	Title string `json:"title,omitempty"`
	// Changes are the objects, Unchanged ones included, in display order.
	Changes []Change `json:"changes"`
	// Warnings are not about a single object, or prevent applying.
	Warnings []string `json:"warnings,omitempty"`
	// Notes are facts about the release that are no warnings, such as the hooks
	// that would run.
	Notes []string `json:"notes,omitempty"`
}

// ReportSchema names the JSON schema of [Report].
const ReportSchema = "fairlead.dev/report/v1"
