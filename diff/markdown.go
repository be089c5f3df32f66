package diff

import "io"

// MarkdownOptions shape [Report.WriteMarkdown].
type MarkdownOptions struct {
	// Limit is the greatest size in bytes. Zero: 65536, what GitHub accepts
	// as a comment.
	Limit int
}

// WriteMarkdown writes the report as a comment on a pull request.
func (r Report) WriteMarkdown(w io.Writer, o MarkdownOptions) error {
	_, err := io.WriteString(w, r.Summary()+"\n")
	return err
}
