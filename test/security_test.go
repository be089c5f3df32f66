package test

import (
	"os"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/redact/redacttest"
)

// SECURITY.md names every form of a secret value that is found, and every one
// that is known not to be.
func TestFormsOfSecretsAreDocumented(t *testing.T) {
	data, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(strings.Join(strings.Fields(string(data)), " "), "These forms are found")
	found, rest, _ := strings.Cut(text, "These are not:")
	notFound, _, ok := strings.Cut(rest, "Nor can these")
	if !ok {
		t.Fatal("SECURITY.md has no lists of forms")
	}
	count := 0
	for _, f := range redacttest.Forms {
		in, out := found, notFound
		if !f.Found {
			in, out = notFound, found
		} else {
			count++
		}
		if name := "`" + f.Name + "`"; !strings.Contains(in, name) || strings.Contains(out, name) {
			t.Errorf("SECURITY.md has %s not where it belongs; found: %v", name, f.Found)
		}
	}
	if listed := strings.Count(found, ";") + 1; listed != count || count < 40 {
		t.Errorf("SECURITY.md lists %d forms as found, the table has %d", listed, count)
	}
}
