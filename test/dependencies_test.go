package test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var directRequire = regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)

// docs/dependencies.md has the purpose of each direct dependency.
func TestDependenciesAreDocumented(t *testing.T) {
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	found := directRequire.FindAllStringSubmatch(string(mod), -1)
	if len(found) < 20 {
		t.Fatalf("only %d direct dependencies in go.mod", len(found))
	}
	for _, m := range found {
		if !strings.Contains(string(page), m[1]) {
			t.Errorf("docs/dependencies.md does not mention %s", m[1])
		}
	}
}
