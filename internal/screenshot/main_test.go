package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/diff"
)

// The page works in a browser: its script runs under the page's content security
// policy, the search works among 500 objects, and the console has no errors.
func TestPageInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Chromium; run without -short")
	}
	report := diff.Report{Title: "five hundred"}
	for i := range 500 {
		report.Changes = append(report.Changes, diff.Change{
			Object: diff.Object{Version: "v1", Kind: "ConfigMap", Namespace: fmt.Sprintf("team-%d", i%7), Name: fmt.Sprintf("config-%d", i)},
			Action: diff.Updated,
			Fields: []diff.Field{{Path: "data.text", Live: fmt.Sprint("before ", i), Desired: fmt.Sprintf("after-%d<script>alert(1)</script>", i), Cause: diff.Chart}},
		})
	}
	folder := t.TempDir()
	source := filepath.Join(folder, "report.html")
	f, err := os.Create(source)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(report.WriteHTML(f, diff.HTMLOptions{}), f.Close()); err != nil {
		t.Fatal(err)
	}
	for search, want := range map[string]int{"": 500, "#q=after-417": 1, "#q=config-41%20team-6": 3, "#q=nothing-such": 0} {
		dom, log, err := browse(folder, "file://"+source+search, "--dump-dom")
		if errors.Is(err, errNoBrowser) {
			t.Skip(err) // "make screenshots" installs it
		}
		if err != nil {
			t.Fatal(err)
		}
		if status := fmt.Sprintf(`role="status">%d of 500<`, want); !strings.Contains(dom, status) {
			t.Errorf("%q: the page does not contain %s", search, status)
		}
		shown := 0
		for tag := range strings.SplitSeq(dom, "<details class=\"object") {
			if open, _, _ := strings.Cut(tag, ">"); strings.Contains(open, `id="o`) && !strings.Contains(open, "hidden") {
				shown++
			}
		}
		if shown != want {
			t.Errorf("%q: %d objects are shown, want %d", search, shown, want)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "CONSOLE") {
				t.Errorf("%q: message on the console: %s", search, line)
			}
		}
	}
}
