package template

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

// A call that only refers to large values costs no more than one with small
// ones: library charts pass the whole context along at every turn.
func TestReferringIsCheap(t *testing.T) {
	large := map[string]any{}
	for i := range 5000 {
		large[fmt.Sprint("key", i)] = strings.Repeat("x", 100)
	}
	for _, text := range []string{
		`{{ range until 1000 }}{{ $d := dict "context" $ "n" 1 }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := list $ $.Values }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := get $.Values "key7" }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := index $.Values "key7" }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := hasKey $.Values "key7" }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := default $.Values $.Values }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := set (dict) "a" $ }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := ternary $ $.Values true }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := kindOf $.Values }}{{ end }}`,
		`{{ range until 1000 }}{{ $d := empty $.Values }}{{ end }}`,
		`{{ range until 1000 }}{{ include "empty" $ }}{{ end }}`,
	} {
		s, err := Compile([]Source{{"c/templates/a", `{{ define "empty" }}{{ end }}` + text}}, Options{AsMap: asMap})
		if err != nil {
			t.Fatal(err)
		}
		r := s.NewRun(context.Background(), Env{})
		if _, err := r.Execute("c/templates/a", map[string]any{"Values": large}); err != nil {
			t.Fatal(err)
		}
		if r.account.Steps() > 20_000 {
			t.Errorf("%s took %d steps", text, r.account.Steps())
		}
	}
}
