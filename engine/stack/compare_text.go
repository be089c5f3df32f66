package stack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// WriteText writes the comparison for a terminal or a log: by member, the charts,
// the values with the layers that give them, and the objects.
func (c *Comparison) WriteText(w io.Writer, o diff.TextOptions) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s → %s\n", clean.Line(c.From), clean.Line(c.To))
	for _, m := range c.Members {
		b.WriteByte('\n')
		if m.OnlyIn != "" {
			fmt.Fprintf(&b, "%s: only in %s\n", clean.Line(m.Member), clean.Line(m.OnlyIn))
			continue
		}
		if err := m.writeText(&b, o); err != nil {
			return err
		}
	}
	if c.Same > 0 {
		fmt.Fprintf(&b, "\n%s the same\n", counted(c.Same, "member"))
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (m MemberComparison) writeText(b *bytes.Buffer, o diff.TextOptions) error {
	fmt.Fprintf(b, "%s\n", clean.Line(m.Member))
	switch {
	case m.FromChart != m.ToChart:
		fmt.Fprintf(b, "  chart %s → %s\n", clean.Line(m.FromChart), clean.Line(m.ToChart))
	case m.ChartFiles:
		fmt.Fprintf(b, "  chart %s has other files\n", clean.Line(m.ToChart))
	}
	for _, v := range m.Values {
		fmt.Fprintf(b, "  value %s: %s → %s\n", clean.Line(v.Path), valueText(v.From, v.FromBy), valueText(v.To, v.ToBy))
	}
	if len(m.Objects.Changes) == 0 {
		return nil
	}
	report := m.Objects
	report.Title = ""
	return report.WriteText(b, o)
}

func valueText(v any, layer string) string {
	if v == nil && layer == "" {
		return "(not given)"
	}
	text := textOf(v)
	if layer != "" {
		text += " (" + layer + ")"
	}
	return clean.Line(text)
}

// textOf is a text as it is, and any other value as JSON.
func textOf(v any) string {
	if text, ok := v.(string); ok {
		return text
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
