package diff

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/clean"
)

// HTMLOptions configures [Report.WriteHTML].
type HTMLOptions struct {
	// Verbose expands every object and shows defaults and unchanged objects;
	// otherwise the reader can expand them.
	Verbose bool
}

var (
	//go:embed assets/report.html
	pageHTML string
	//go:embed assets/report.css
	pageCSS string
	//go:embed assets/report.js
	pageJS string
)

// page parses the template once, when it is first needed.
var page = sync.OnceValues(func() (*template.Template, error) {
	return template.New("report").Parse(pageHTML)
})

// htmlPage is the data of the template, which escapes all texts.
type htmlPage struct {
	Title, Summary string
	Policy         string // the page's content security policy
	Style          template.CSS
	Script         template.JS
	Verbose        bool
	Warnings       []string
	Notes          []string
	Counts         []htmlCount
	Groups         []htmlGroup
}

type htmlCount struct {
	Class, Word string
	N           int
}

type htmlGroup struct {
	Name    string // the namespace
	Changes []htmlChange
}

type htmlChange struct {
	ID, Sign, Class, Word  string
	Kind, Name, Object     string
	Reason, Source, Digest string
	Local, Open, Hidden    bool
	Warnings               []string
	Fields, Filled         []htmlField
	Conflicts, Drifted     int
}

type htmlField struct {
	Path, Sign, Class, Why string
	Live, Desired          string // on one line; empty: absent
	Lines                  []htmlLine
}

type htmlLine struct{ Class, Text string }

// WriteHTML writes the report as one page that needs no network: an index of
// the objects by namespace, a search over objects, paths and values, and each
// object's fields. Everything that comes from the report is escaped, and the
// page's content security policy permits no connection and no script but its
// own.
func (r Report) WriteHTML(w io.Writer, o HTMLOptions) error {
	t, err := page()
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	sum := sha256.Sum256([]byte(pageJS))
	p := htmlPage{
		Title: clean.Line(r.Title), Summary: clean.Line(r.Summary()), Verbose: o.Verbose,
		Policy: "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'",
		// Both are constants of this package, not input.
		Style: template.CSS(pageCSS), Script: template.JS(pageJS),
	}
	if p.Title == "" {
		p.Title = "Plan"
	}
	for _, s := range r.Warnings {
		p.Warnings = append(p.Warnings, clean.Text(s))
	}
	for _, s := range r.Notes {
		p.Notes = append(p.Notes, clean.Text(s))
	}
	count := map[string]int{}
	groups := map[string]int{}
	for i, ch := range r.Changes {
		h := htmlOf(ch, o)
		h.ID = fmt.Sprintf("o%d", i)
		if count[h.Class] == 0 {
			p.Counts = append(p.Counts, htmlCount{Class: h.Class, Word: h.Word})
		}
		count[h.Class]++
		ns := clean.Line(ch.Object.Namespace)
		if ns == "" {
			ns = "(cluster)"
		}
		g, ok := groups[ns]
		if !ok {
			g = len(p.Groups)
			groups[ns] = g
			p.Groups = append(p.Groups, htmlGroup{Name: ns})
		}
		p.Groups[g].Changes = append(p.Groups[g].Changes, h)
	}
	for i := range p.Counts {
		p.Counts[i].N = count[p.Counts[i].Class]
	}
	if err := t.Execute(w, p); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func htmlOf(ch Change, o HTMLOptions) htmlChange {
	sign, _, word := look(ch)
	h := htmlChange{
		Sign: sign, Word: word, Class: word,
		Kind: clean.Line(ch.Object.Kind), Name: clean.Line(ch.Object.Name), Object: ch.Object.String(),
		Reason: clean.Text(ch.Reason), Source: clean.Line(ch.Source), Local: ch.Local,
		Conflicts: len(ch.Conflicts()), Drifted: len(ch.By(Drift)),
		Hidden: ch.Action == Unchanged && !o.Verbose && len(ch.Warnings) == 0,
	}
	if h.Conflicts > 0 {
		h.Class, h.Word = "conflict", word+", conflict"
	}
	h.Open = o.Verbose || ch.Action == Updated || ch.Action == Replaced || ch.Action == Adopted || h.Conflicts > 0
	for _, s := range ch.Warnings {
		h.Warnings = append(h.Warnings, clean.Text(s))
	}
	if ch.Action == Created {
		h.Digest = clean.Line(digest(ch))
	}
	for _, f := range ch.Fields {
		if f.Cause == Default && f.Live == nil {
			h.Filled = append(h.Filled, htmlFieldOf(f))
			continue
		}
		h.Fields = append(h.Fields, htmlFieldOf(f))
	}
	return h
}

func htmlFieldOf(f Field) htmlField {
	sign, _ := mark(f)
	h := htmlField{Path: inPage(oneLine(f.Path)), Sign: sign, Class: strings.ToLower(string(f.Cause)), Why: inPage(strings.Trim(remark(f), "()"))}
	if f.Secret && hiddenWhole(f) {
		_, text := (&printer{}).secret(f)
		h.Desired, h.Class = text, h.Class+" secret"
		return h
	}
	live, lok := blockText(f.Live)
	desired, dok := blockText(f.Desired)
	if f.Reordered {
		h.Live, h.Desired = inPage(keyList(f.Live)), inPage(keyList(f.Desired))
		return h
	}
	if !lok && !dok {
		if f.Live != nil {
			h.Live = inPage(flow(f.Live))
		}
		if f.Desired != nil {
			h.Desired = inPage(flow(f.Desired))
		}
		return h
	}
	for _, l := range unified(live, desired, 3) {
		switch l.op {
		case '+':
			h.Lines = append(h.Lines, htmlLine{"new", "+ " + inPage(safe(l.text))})
		case '-':
			h.Lines = append(h.Lines, htmlLine{"old", "- " + inPage(safe(l.text))})
		case '@':
			h.Lines = append(h.Lines, htmlLine{"gap", "⋮"})
		default:
			h.Lines = append(h.Lines, htmlLine{"", "  " + inPage(safe(l.text))})
		}
	}
	return h
}

// inPage returns a cleaned text for the page, in which nothing is a command of a
// CI system that prints it.
func inPage(s string) string { return clean.Unmarked(s) }
