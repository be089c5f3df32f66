package diff

// Report is what becomes of a set of objects: plain data, to be printed,
// stored and compared.
//
// It is written and read by encoding/json; the document carries its schema
// ([ReportSchema]), and reading refuses one that it does not know.
type Report struct {
	// Title is printed above the report: the release, its namespace, the
	// revisions. Empty: no title.
	Title string `json:"title,omitempty"`
	// Changes holds the objects, Unchanged ones included, in the order in
	// which they are to be shown.
	Changes []Change `json:"changes"`
	// Warnings concern no single object, or more than what becomes of one:
	// what stands in the way of applying.
	Warnings []string `json:"warnings,omitempty"`
	// Notes are facts about the whole that are no warnings, such as the hooks
	// that would run.
	Notes []string `json:"notes,omitempty"`
}

// ReportSchema names the JSON schema of [Report].
const ReportSchema = "fairlead.dev/report/v1"
