package diff

import "io"

// TextOptions configures [Report.WriteText]. The zero value is plain, folded, and
// 100 columns wide.
type TextOptions struct {
	// Color adds ANSI colours.
	Color bool
	// Width is the width of the terminal in columns; values below 40 mean 100.
	Width int
	// Verbose shows all fields of created objects, all defaults, unchanged
	// objects, and values in full.
	Verbose bool
}

// defaultWidth is the width of a report if none is set.
const defaultWidth = 100

// WriteText writes the report for a terminal or a log: a line for each object
// that changes, below it a line for each field with its old and new value, and
// the summary at the end.
func (r Report) WriteText(w io.Writer, o TextOptions) error {
	if o.Width < 40 {
		o.Width = defaultWidth
	}
	p := &printer{TextOptions: o}
	if r.Title != "" {
		p.line(p.paint(bold, clip(oneLine(r.Title), o.Width)))
		p.line("")
	}
	for _, s := range r.Warnings {
		p.warning("", s)
	}
	for _, s := range r.Notes {
		p.wrapped("", s, dim)
	}
	if len(r.Warnings)+len(r.Notes) > 0 {
		p.line("")
	}
	unchanged := 0
	for _, ch := range r.Changes {
		if ch.Action == Unchanged && !o.Verbose && len(ch.Warnings) == 0 {
			unchanged++
			continue
		}
		p.change(ch)
	}
	if unchanged > 0 {
		p.line(p.paint(dim, plural(unchanged, "object", "objects")+" unchanged"))
		p.line("")
	}
	p.line(p.paint(bold, r.Summary()))
	_, err := io.WriteString(w, p.b.String())
	return err
}
