package diff

import (
	"strings"
	"unicode/utf8"
)

// longValue is the number of columns from which a value is truncated, unless
// Verbose.
const longValue = 200

// fields writes the fields of a change, with aligned values.
func (p *printer) fields(ch Change) {
	shown := make([]Field, 0, len(ch.Fields))
	folded := 0
	for _, f := range ch.Fields {
		if f.Cause == Default && !p.Verbose && f.Live == nil {
			folded++
			continue
		}
		shown = append(shown, f)
	}
	// The column of the values: after the longest path that takes no more than
	// half of the line. Longer paths have a line of their own.
	column := 0
	for _, f := range shown {
		if n := columns(oneLine(f.Path)); n <= p.Width/2 {
			column = max(column, n)
		}
	}
	for _, f := range shown {
		p.field(f, column)
	}
	if folded > 0 {
		p.line("    " + p.paint(dim, "… and "+plural(folded, "default", "defaults")+" filled in by the server"))
	}
}

// mark returns the sign and colour of a field.
func mark(f Field) (string, colour) {
	switch {
	case f.Cause == Conflict:
		return "!", red
	case f.Live == nil:
		return "+", green
	case f.Desired == nil:
		return "-", red
	}
	return "~", yellow
}

func (p *printer) field(f Field, column int) {
	sign, c := mark(f)
	name := oneLine(f.Path)
	head := "  " + p.paint(c, sign) + " " + name
	used := 4 + columns(name)
	why := remark(f)
	if block, ok := p.block(f); ok {
		if why != "" {
			head += "  " + p.paint(dim, why)
		}
		p.line(head)
		for _, l := range block {
			p.line("      " + l)
		}
		return
	}
	text, plainText := p.values(f)
	pad := 4 + column - used + 2
	if used-4 <= column && 4+column+2+columns(plainText) <= p.Width {
		head += strings.Repeat(" ", pad) + text
		used = 4 + column + 2 + columns(plainText)
	} else {
		p.line(head)
		indent := "        "
		if columns(indent)+columns(plainText) > p.Width && f.Live != nil && f.Desired != nil && !f.Secret {
			// Too long for one line: old above new.
			live, desired := p.value(f.Live), p.value(f.Desired)
			p.line("      " + p.paint(red, "- "+live))
			head = "      " + p.paint(green, "+ "+desired)
			used = 8 + columns(desired)
		} else {
			head = indent + text
			used = columns(indent) + columns(plainText)
		}
	}
	if why != "" && used+2+columns(why) > p.Width {
		p.line(head)
		p.line("        " + p.paint(dim, why))
		return
	}
	if why != "" {
		head += "  " + p.paint(dim, why)
	}
	p.line(head)
}

// remark returns in brackets why a field changes, unless the chart is the cause.
func remark(f Field) string {
	by := ""
	if f.Manager != "" {
		by = oneLine(f.Manager)
		if f.Time != nil {
			by += " at " + f.Time.UTC().Format("2006-01-02 15:04:05Z")
		}
	}
	var why string
	switch f.Cause {
	case Conflict:
		why = "conflict with " + by
	case Drift:
		why = "drift"
		if f.CoOwned {
			return "(" + join("co-owned by "+by, "taken back") + ")"
		}
		if by != "" {
			why += ", set by " + by
		}
	case Default:
		why = "set by the server"
	case Removed:
		why = "no longer in the chart"
		if f.Path == `metadata.annotations["kubernetes.io/change-cause"]` {
			why = "no cause is given" // it is not from the chart
		}
	default:
		if by != "" {
			why = "taken from " + by
		}
	}
	if f.Reordered {
		why = join(why, "order changes")
	}
	if f.Immutable {
		why = join(why, "immutable")
	}
	if why == "" {
		return ""
	}
	return "(" + why + ")"
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

// values returns the old and the new value of a field on one line, with and
// without colour.
func (p *printer) values(f Field) (painted, text string) {
	if f.Secret && hiddenWhole(f) {
		return p.secret(f)
	}
	live, desired := p.value(f.Live), p.value(f.Desired)
	if f.Reordered {
		live, desired = keyList(f.Live), keyList(f.Desired)
	}
	switch {
	case f.Live == nil:
		return p.paint(green, desired), desired
	case f.Desired == nil:
		return p.paint(red, live), live
	case f.CoOwned:
		return live, live
	}
	return p.paint(red, live) + " → " + p.paint(green, desired), live + " → " + desired
}

// secret returns the text for a hidden value: only that it changes.
func (p *printer) secret(f Field) (painted, text string) {
	hash := func(v any) string {
		s, _ := v.(string)
		return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(s, "[secret"), " "), "]")
	}
	live, desired := hash(f.Live), hash(f.Desired)
	what := "secret"
	switch {
	case live != "" && desired != "":
		what += " " + live + " → " + desired
	case live+desired != "":
		what += " " + live + desired
	}
	switch {
	case f.Live == nil:
		text = "added (" + what + ")"
	case f.Desired == nil:
		text = "removed (" + what + ")"
	default:
		text = "changed (" + what + ")"
	}
	return p.paint(magenta, text), text
}

// keyList returns the keys of reordered items, in path notation.
func keyList(v any) string {
	l, _ := v.([]any)
	keys := make([]string, 0, len(l))
	for _, e := range l {
		s, _ := e.(string)
		keys = append(keys, oneLine(s))
	}
	return "[" + strings.Join(keys, "; ") + "]"
}

// value returns v on one line.
func (p *printer) value(v any) string {
	s := flow(v)
	if n := columns(s); n > longValue && !p.Verbose {
		return clip(s, longValue/2) + " (" + plural(utf8.RuneCountInString(s), "character", "characters") + ")"
	}
	return s
}

// block returns the lines of a field that is shown as a block: the difference of
// multi-line texts, or of lists and maps that are too big for one line.
func (p *printer) block(f Field) ([]string, bool) {
	if f.Reordered || f.Secret && hiddenWhole(f) {
		return nil, false
	}
	live, lok := blockText(f.Live)
	desired, dok := blockText(f.Desired)
	if !lok && !dok {
		return nil, false
	}
	lines := unified(live, desired, 2)
	limit := 12
	if f.Live != nil && f.Desired != nil {
		limit = 30
	}
	var out []string
	for i, l := range lines {
		if i == limit && len(lines) > limit+1 && !p.Verbose {
			out = append(out, p.paint(dim, "… "+plural(len(lines)-limit, "more line", "more lines")))
			break
		}
		text := safe(l.text)
		if max := p.Width - 8; !p.Verbose && columns(text) > max {
			text = clip(text, max)
		}
		switch l.op {
		case '+':
			out = append(out, p.paint(green, "+ "+text))
		case '-':
			out = append(out, p.paint(red, "- "+text))
		case '@':
			out = append(out, p.paint(dim, "⋮"))
		default:
			out = append(out, p.paint(dim, "  "+text))
		}
	}
	return out, true
}

// hiddenWhole reports whether a secret field's values are hidden completely.
func hiddenWhole(f Field) bool {
	whole := func(v any) bool {
		s, ok := v.(string)
		return v == nil || ok && isPlaceholder(s)
	}
	return whole(f.Live) && whole(f.Desired)
}
