package engine

import (
	"testing"

	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Only comments before an object count as records of rollouts, and only those
// are changed in what a chart prints.
func TestWithoutOverrides(t *testing.T) {
	const mark = overridesComment + `{"paused":{"since":1}}` + "\n"
	for name, c := range map[string]struct{ text, want string }{
		"none":          {"---\n# Source: a\nkind: A\n", "---\n# Source: a\nkind: A\n"},
		"first":         {"---\n# Source: a\n" + mark + "kind: A\n", "---\n# Source: a\n" + chartComment + mark[len(overridesComment):] + "kind: A\n"},
		"twice":         {"---\n# Source: a\n" + mark + mark + "kind: A\n", "---\n# Source: a\n" + chartComment + mark[len(overridesComment):] + chartComment + mark[len(overridesComment):] + "kind: A\n"},
		"second object": {"---\nkind: A\n---\n" + mark + "kind: B\n", "---\nkind: A\n---\n" + chartComment + mark[len(overridesComment):] + "kind: B\n"},
		"within":        {"---\nkind: A\ntext: |\n" + mark, "---\nkind: A\ntext: |\n" + mark},
	} {
		got := withoutOverrides(storage.TextOf(c.text)).String()
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		objects, err := parseManifest(got)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects {
			if h := overridesIn(o.Text); h != (overrides{}) {
				t.Errorf("%s: %q has overrides", name, o.Text)
			}
		}
	}
}
