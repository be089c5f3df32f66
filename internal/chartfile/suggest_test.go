package chartfile

import "testing"

func TestUnknownName(t *testing.T) {
	const text = "no such value, the name is unknown to the schema"
	tests := map[string]struct {
		name  string
		known []string
		want  string
	}{
		"a letter is missing": {"replica", []string{"image", "replicas"}, text + ` (perhaps "replicas" is meant)`},
		"letters are swapped": {"prot", []string{"port", "name"}, text + ` (perhaps "port" is meant)`},
		"a capital":           {"nodeport", []string{"nodePort", "port"}, text + ` (perhaps "nodePort" is meant)`},
		"the nearest of two":  {"ports", []string{"parts", "port"}, text + ` (perhaps "parts" is meant)`},
		"nothing alike":       {"pfad", []string{"host", "path", "port"}, text + ` (it knows host, path, port)`},
		"too many to tell":    {"pfad", []string{"aa1", "aa2", "aa3", "aa4", "aa5", "aa6", "aa7", "aa8", "aa9"}, text},
		"nothing known":       {"pfad", nil, text},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := unknownName(test.name, test.known); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"port", "port", 0}, {"prot", "port", 1}, {"port", "ports", 1}, {"kitten", "sitting", 3}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
