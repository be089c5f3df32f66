package diff

import (
	"fmt"
	"slices"
	"strings"
)

// Summary returns one line: "2 to create, 1 to update (image), 1 to replace, 3
// drifted, 1 conflict", or "no changes". The names after the updates are those
// of the fields that the chart changes, at most three. Drifted counts objects,
// conflicts count fields; both are also counted as updates.
func (r Report) Summary() string {
	count := map[Action]int{}
	drifted, conflicts := 0, 0
	var names, labels []string
	for _, ch := range r.Changes {
		count[ch.Action]++
		if len(ch.By(Drift)) > 0 {
			drifted++
		}
		conflicts += len(ch.Conflicts())
		if ch.Action != Updated {
			continue
		}
		for _, f := range ch.Fields {
			if f.Cause != Chart && f.Cause != Removed {
				continue
			}
			if n, label := fieldName(f.Path); label {
				labels = append(labels, n)
			} else {
				names = append(names, n)
			}
		}
	}
	if len(names) == 0 {
		names = labels
	}
	names = distinct(names)
	if len(names) > 3 {
		names = append(names[:3], "…")
	}
	var parts []string
	say := func(n int, format string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf(format, n))
		}
	}
	say(count[Created], "%d to create")
	say(count[Updated], "%d to update")
	if count[Updated] > 0 && len(names) > 0 {
		parts[len(parts)-1] += " (" + oneLine(strings.Join(names, ", ")) + ")"
	}
	say(count[Replaced], "%d to replace")
	say(count[Adopted], "%d to adopt")
	say(count[Deleted], "%d to delete")
	say(count[Kept], "%d kept")
	say(drifted, "%d drifted")
	if conflicts == 1 {
		say(conflicts, "%d conflict")
	} else {
		say(conflicts, "%d conflicts")
	}
	if len(parts) == 0 {
		return "no changes"
	}
	return strings.Join(parts, ", ")
}

// longName is the length from which a name is too long for a summary, which then
// names the field that contains it.
const longName = 24

// fieldName returns the short name of the field at a path: image for
// spec.template.spec.containers[name="web"].image, MODE for the value of that
// environment variable. Labels and annotations are marked: they change with most
// releases and matter least.
func fieldName(s string) (name string, label bool) {
	p, err := parsePath(s)
	if err != nil {
		return s, false
	}
	for i, st := range p {
		if st.kind == stepField && (st.name == "annotations" || st.name == "labels") {
			label = i < len(p)-1 && i > 0 && p[i-1].name == "metadata"
		}
	}
	for i := len(p) - 1; i >= 0; i-- {
		switch st := p[i]; st.kind {
		case stepField:
			if (st.name == "value" || st.name == "valueFrom") && i > 0 && len(p[i-1].keys) == 1 {
				continue
			}
			if len(st.name) > longName && i > 0 {
				continue
			}
			return st.name, label
		case stepItem:
			if len(st.keys) == 1 {
				if n, ok := st.keys[0].value.(string); ok {
					return n, label
				}
			}
		}
	}
	return s, label
}

func distinct(in []string) []string {
	var out []string
	for _, s := range in {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}
