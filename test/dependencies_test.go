package test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var directRequire = regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)

// Each direct dependency says in docs/dependencies.md what it is there for.
func TestEachDependencyEarnsItsPlace(t *testing.T) {
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
			t.Errorf("docs/dependencies.md does not say why there is %s", m[1])
		}
	}
}
