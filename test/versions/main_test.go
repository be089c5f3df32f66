package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A test with subtests counts as those do, a skipped one gives its reason, and a
// package that fails without a test of its own is one failure.
func TestCount(t *testing.T) {
	const lines = `{"Action":"start","Package":"x/engine"}
{"Action":"run","Package":"x/engine","Test":"TestA"}
{"Action":"pass","Package":"x/engine","Test":"TestA/one"}
{"Action":"output","Package":"x/engine","Test":"TestA/two","Output":"    a_test.go:12: needs Kubernetes 1.33: why\n"}
{"Action":"skip","Package":"x/engine","Test":"TestA/two"}
{"Action":"pass","Package":"x/engine","Test":"TestA"}
{"Action":"pass","Package":"x/charts","Test":"TestA"}
{"Action":"fail","Package":"x/charts","Test":"TestB"}
no JSON
{"Action":"fail","Package":"x/charts"}
{"Action":"fail","Package":"x/internal/merge"}
`
	got, err := count(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	want := result{Passed: 2, Skipped: map[string]string{"engine.TestA/two": "needs Kubernetes 1.33: why"}, Failed: []string{"charts.TestB", "merge"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
