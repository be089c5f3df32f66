//go:build linux

package hostile

import "testing"

// TestTemplates runs single templates, each for a kind of attack.
func TestTemplates(t *testing.T) {
	Run(t, templates)
}

var templates = []Case{
	Template("recursion", `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`),
	Template("repeated string", `{{ $x := repeat 8000000 "x" }}{{ range until 100 }}{{ $y := $x | upper }}{{ end }}`),
}
