package template

import (
	"os/exec"
	"strings"
	"testing"
)

// moduleDir is where the sources of a module are, or empty if they are not here.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
