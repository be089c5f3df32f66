package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/progress"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// The story runs to its end, on two clusters.
func TestStory(t *testing.T) {
	testcluster.Need(t)
	clusters, stop, err := start(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	var engines []*engine.Engine
	for _, c := range clusters {
		e, err := engine.New(c.Config(), engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
	}
	var out bytes.Buffer
	view := progress.New(&out, progress.Options{Style: progress.Plain})
	if err := story(t.Context(), &out, view, engines[0], engines[1]); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"(known after apply)", "planned as if", "failed: backend; taken back: [backend cache]", "edge: shop-production/edge revision 1"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story has no %q:\n%s", want, out.String())
		}
	}
}
