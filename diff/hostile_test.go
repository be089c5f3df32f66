package diff

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/clean/cleantest"
)

var mentioned = regexp.MustCompile(`[@#!][\pL\d]`)

// Whatever a report says, written it controls no terminal and no CI system, and
// in Markdown and HTML it is text.
func TestAttackReports(t *testing.T) {
	for name, text := range cleantest.Hostile {
		t.Run(name, func(t *testing.T) {
			o := Object{Kind: text, Namespace: text, Name: text, Group: text}
			fields := func() []Field {
				return []Field{
					{Path: `data["` + strings.ReplaceAll(text, `"`, "") + `"]`, Live: text, Desired: text + "2", Cause: Conflict, Manager: text},
					{Path: text, Desired: "a\n" + text + "\n" + text, Cause: Drift, Manager: text},
					{Path: "spec", Live: map[string]any{text: []any{map[string]any{text: text}}}, Desired: []any{text}, Cause: Default},
					{Path: "spec.x", Live: []any{text}, Desired: []any{text}, Cause: Chart, Reordered: true},
				}
			}
			rep := Report{Title: text, Warnings: []string{text, "warning " + text}, Notes: []string{text}}
			for _, action := range []Action{Created, Updated, Replaced, Deleted, Adopted, Unchanged, Kept, Action(text)} {
				rep.Changes = append(rep.Changes, Change{Object: o, Action: action, Fields: fields(), Reason: text, Source: text, Local: true, Warnings: []string{text}})
			}
			for _, o := range []TextOptions{{}, {Verbose: true}, {Width: 40}} {
				cleantest.Check(t, "text", textOf(t, rep, o), true)
			}
			page := htmlPageOf(t, rep, HTMLOptions{})
			cleantest.Check(t, "HTML", page, true)
			for _, bad := range []string{"<img", "<!-- ", "</summary><"} {
				if strings.Contains(strings.Split(page, "<script>")[0], bad) {
					t.Errorf("HTML has %q", bad)
				}
			}
			for _, o := range []MarkdownOptions{{}, {Verbose: true}, {Limit: 10}} {
				md := markdown(t, rep, o)
				cleantest.Check(t, "Markdown", md, true)
				inert(t, md)
			}
		})
	}
}

func textOf(t *testing.T, rep Report, o TextOptions) string { return text(t, rep, o) }

var block = regexp.MustCompile("(?ms)^(```+)diff\n.*?^(```+)\n")

// inert looks for links, mentions and markup in Markdown, outside of the blocks
// of code.
func inert(t *testing.T, md string) {
	t.Helper()
	for _, m := range block.FindAllStringSubmatch(md, -1) {
		if m[1] != m[2] {
			t.Errorf("a block of code ends early: %q", m[0])
		}
	}
	md = block.ReplaceAllString(md, "")
	for _, own := range []string{"<details>", "<details open>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "> ", "### "} {
		md = strings.ReplaceAll(md, own, "")
	}
	if strings.ContainsAny(md, "<>") {
		t.Errorf("markup: %q", md)
	}
	shown := html.UnescapeString(md)
	if strings.Contains(shown, "://") || mentioned.MatchString(shown) || strings.Contains(md, "](") && !strings.Contains(md, `\](`) {
		t.Errorf("a link or a mention: %q", shown)
	}
}
