package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sources are the Go files without tests, the story, and what is generated.
func sources(t *testing.T) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		name := filepath.Base(path)
		if filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go") && !strings.HasPrefix(name, "zz_generated") && name != "story.go" {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// The operator stays small: what it needs more of belongs into the library. Blank lines
// and comments are not counted, and the story is a test that is run by hand.
func TestSize(t *testing.T) {
	const limit = 1200
	lines := 0
	for _, path := range sources(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
	}
	if lines > limit || lines < limit/2 {
		t.Errorf("%d lines; at most %d", lines, limit)
	}
}

// What is generated from the types is up to date.
func TestGenerated(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("go", "tool", "controller-gen", "object", "crd", "paths=./api/...", "output:object:dir="+dir, "output:crd:dir="+dir)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, committed := range map[string]string{
		"zz_generated.deepcopy.go":            "api/v1alpha1",
		"apps.fairlead.dev_applications.yaml": "chart/crds",
	} {
		fresh, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join(committed, name))
		if err != nil || !bytes.Equal(fresh, have) {
			t.Errorf("%s/%s is out of date: run make operator-generate (%v)", committed, name, err)
		}
	}
}
