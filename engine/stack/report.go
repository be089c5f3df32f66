package stack

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// Summary returns one line over all members: "3 releases: 1 to install, 1 to
// upgrade, 1 unchanged; 4 to create; 2 values known after apply".
func (p *Plan) Summary() string {
	kinds := map[string]int{}
	unknown, problems := 0, 0
	for _, m := range p.all() {
		if m.Plan.Changed() {
			kinds["to "+strings.ToLower(string(m.Plan.Kind))]++
		} else {
			kinds["unchanged"]++
		}
		problems += len(m.Plan.Problems)
		for _, ch := range m.Plan.Report.Changes {
			ch.Fields = slices.DeleteFunc(slices.Clone(ch.Fields), func(f diff.Field) bool { return f.Cause == diff.Default }) // the API server sets these
			unknown += len(ch.Unknown())
		}
	}
	var parts []string
	for _, kind := range []string{"to install", "to upgrade", "to uninstall", "unchanged"} {
		if n := kinds[kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	text := fmt.Sprintf("%s: %s", counted(len(p.Members)+len(p.Pruned), "release"), strings.Join(parts, ", "))
	if objects := (diff.Report{Changes: p.changes()}).Summary(); objects != "no changes" {
		text += "; " + objects
	}
	if unknown > 0 {
		text += "; " + counted(unknown, "value") + " known after apply"
	}
	if problems > 0 {
		text += "; " + counted(problems, "problem")
	}
	return text
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// changes are those of all members. A namespace that several of them would create
// is one change.
func (p *Plan) changes() []diff.Change {
	type place struct {
		cluster string
		object  diff.Object
	}
	var out []diff.Change
	created := map[place]bool{}
	for _, m := range p.all() {
		for _, ch := range m.Plan.Report.Changes {
			if at := (place{m.Plan.Cluster, ch.Object}); isNamespace(ch.Object) && ch.Action == diff.Created {
				if created[at] {
					continue
				}
				created[at] = true
			}
			out = append(out, ch)
		}
	}
	return out
}

// Report returns one report over all members: their changes in order, and in its
// warnings and notes what matters of them as a whole.
func (p *Plan) Report() diff.Report {
	out := diff.Report{Title: p.title(), Changes: p.changes()}
	out.Warnings, out.Notes = p.texts()
	for _, m := range p.all() {
		for _, w := range m.Plan.Report.Warnings {
			out.Warnings = append(out.Warnings, m.Member+": "+w)
		}
		for _, n := range m.Plan.Report.Notes {
			out.Notes = append(out.Notes, m.Member+": "+n)
		}
	}
	return out
}

func (p *Plan) title() string {
	return strings.ToLower(string(p.Kind)) + " stack " + p.Stack
}

// texts are the warnings and notes over all members: data that is replaced or
// deleted, missing permissions, releases that left.
func (p *Plan) texts() (warnings, notes []string) {
	warnings = slices.Clone(p.Warnings)
	for _, m := range p.all() {
		for _, ch := range m.Plan.Report.Changes {
			if ch.Action == diff.Replaced || ch.Action == diff.Deleted && holdsData(ch.Object) {
				warnings = append(warnings, fmt.Sprintf("%s: %s is %s", m.Member, ch.Object, strings.ToLower(string(ch.Action))))
			}
		}
		for _, perm := range m.Plan.Missing {
			warnings = append(warnings, fmt.Sprintf("%s: missing permission: %s", m.Member, perm))
		}
	}
	for _, k := range p.Left {
		notes = append(notes, fmt.Sprintf("release %s left the stack and stays; set PlanOptions.Prune to uninstall it", k))
	}
	return warnings, notes
}

// holdsData reports whether objects or data go with the object.
func holdsData(o diff.Object) bool {
	return o.Group == "" && slices.Contains([]string{"PersistentVolumeClaim", "PersistentVolume", "Namespace"}, o.Kind) ||
		o.Group == "apps" && o.Kind == "StatefulSet" || isDefinition(o)
}

// heading is the line above the report of a member.
func (m *MemberPlan) heading() string {
	text := fmt.Sprintf("%s: %s %s", m.Member, strings.ToLower(string(m.Plan.Kind)), m.Plan.Key)
	if m.Plan.Chart != "" {
		text += " (" + m.Plan.Chart + ")"
	}
	if len(m.Needs) > 0 {
		text += ", needs " + strings.Join(m.Needs, ", ")
	}
	return clean.Line(text)
}

// report is that of the member, with notes of what is unknown and assumed.
func (m *MemberPlan) report() diff.Report {
	out := m.Plan.Report
	out.Title = m.heading()
	out.Notes = slices.Clone(out.Notes)
	for _, u := range m.Unknown {
		out.Notes = append(out.Notes, fmt.Sprintf("value %s is known after apply: %s", u.Path, u.Output))
	}
	for _, o := range m.Assumed {
		out.Notes = append(out.Notes, fmt.Sprintf("planned as if %s of an earlier member were there", o))
	}
	return out
}

// WriteText writes the reports of all members for a terminal or a log, those that
// do not change in one line, and the summary.
func (p *Plan) WriteText(w io.Writer, o diff.TextOptions) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n", clean.Line(p.title()))
	warnings, notes := p.texts()
	for _, s := range warnings {
		fmt.Fprintf(&b, "warning: %s\n", clean.Line(s))
	}
	for _, s := range notes {
		fmt.Fprintf(&b, "%s\n", clean.Line(s))
	}
	if len(warnings)+len(notes) > 0 {
		b.WriteByte('\n')
	}
	for _, m := range p.all() {
		if !m.Plan.Changed() && !o.Verbose && len(m.Plan.Report.Warnings) == 0 {
			fmt.Fprintf(&b, "%s: unchanged\n\n", clean.Line(m.Member))
			continue
		}
		if err := m.report().WriteText(&b, o); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s\n", clean.Line(p.Summary()))
	_, err := w.Write(b.Bytes())
	return err
}

// WriteMarkdown writes the reports of all members as a comment on a pull request.
// Members that no longer fit are listed by name.
func (p *Plan) WriteMarkdown(w io.Writer, o diff.MarkdownOptions) error {
	if o.Limit <= 0 {
		o.Limit = 65536
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "## %s\n\n**%s**\n", clean.Markdown(p.title()), clean.Markdown(p.Summary()))
	warnings, notes := p.texts()
	for _, s := range warnings {
		fmt.Fprintf(&b, "\n> ⚠️ %s\n", clean.Markdown(s))
	}
	for _, s := range notes {
		fmt.Fprintf(&b, "\n> %s\n", clean.Markdown(s))
	}
	all := p.all()
	for i, m := range all {
		if !m.Plan.Changed() && !o.Verbose && len(m.Plan.Report.Warnings) == 0 {
			fmt.Fprintf(&b, "\n%s: unchanged\n", clean.Markdown(m.Member))
			continue
		}
		room := (o.Limit - b.Len()) / (len(all) - i)
		if room < 200 {
			fmt.Fprintf(&b, "\n%s: %s\n", clean.Markdown(m.heading()), clean.Markdown(m.Plan.Report.Summary()))
			continue
		}
		b.WriteByte('\n')
		if err := m.report().WriteMarkdown(&b, diff.MarkdownOptions{Limit: room, Verbose: o.Verbose}); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// WriteHTML writes one page over all members; see diff.Report.WriteHTML.
func (p *Plan) WriteHTML(w io.Writer, o diff.HTMLOptions) error {
	return p.Report().WriteHTML(w, o)
}

// refusal is the plan's Err; without hooks, their problems do not count.
func (p *Plan) refusal(noHooks bool) error {
	if !noHooks {
		return p.Err()
	}
	without := *p
	without.Members, without.Pruned = withoutHooks(p.Members), withoutHooks(p.Pruned)
	return without.Err()
}

func withoutHooks(members []MemberPlan) []MemberPlan {
	out := slices.Clone(members)
	for i := range out {
		plan := *out[i].Plan
		plan.Problems = slices.DeleteFunc(slices.Clone(plan.Problems), func(p engine.Problem) bool { return p.Hook })
		out[i].Plan = &plan
	}
	return out
}
