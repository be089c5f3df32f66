package engine_test

import (
	"strings"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/engine"
)

// An object whose kind has no status delays nothing, and one whose status no
// controller writes fails no deploy, however short the timeout.
func TestObjectsWithoutStatus(t *testing.T) {
	f := newFixture(t)
	group := f.namespace + ".example.net"
	f.deleteCRD("gadgets." + group)
	in := func(text string) string { return strings.ReplaceAll(text, "GROUP", group) }
	c := f.chart(map[string]string{"crds/gadget.yaml": in(gadgetCRD), "gadget.yaml": in(gadget)})
	patient := engine.ApplyOptions{Timeout: 20 * time.Second, FailurePolicy: engine.FailurePolicy{Unknown: time.Minute}}
	begun := time.Now()
	if _, err := f.engine.Deploy(f.ctx, f.release(c), patient); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > patient.Timeout {
		t.Errorf("it waited %v for a status that its kind does not have", took)
	}
	s, err := f.engine.Status(f.ctx, f.key)
	if err != nil || len(s.Objects) != 1 || s.Objects[0].State != engine.StateReady {
		t.Errorf("status %+v, %v", s, err)
	}

	reporting := strings.Replace(gadgetCRD, "    storage: true\n", "    storage: true\n    subresources: {status: {}}\n", 1)
	reporting = strings.NewReplacer("gadget", "widget", "Gadget", "Widget").Replace(in(reporting))
	f.deleteCRD("widgets." + group)
	f.key.Name = "other"
	c = f.chart(map[string]string{"crds/widget.yaml": reporting, "widget.yaml": strings.Replace(in(gadget), "Gadget", "Widget", 1)})
	if _, err := f.engine.Deploy(f.ctx, f.release(c), engine.ApplyOptions{Timeout: 1500 * time.Millisecond}); err != nil {
		t.Error(err)
	}
	s, err = f.engine.Status(f.ctx, f.key)
	if err != nil || len(s.Objects) != 1 || s.Objects[0].State != engine.StateUnknown {
		t.Errorf("status %+v, %v", s, err)
	}
}
