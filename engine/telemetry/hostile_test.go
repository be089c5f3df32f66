package telemetry_test

import (
	"errors"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/telemetry"
	"github.com/fairlead-dev/fairlead/internal/clean/cleantest"
)

// What a cluster says controls no terminal on which spans are looked at.
func TestAttackSpans(t *testing.T) {
	for name, text := range cleantest.Hostile {
		t.Run(name, func(t *testing.T) {
			spans := tracetest.NewInMemoryExporter()
			o, err := telemetry.New(telemetry.Options{
				Tracers: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)),
				Meters:  sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader())),
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []engine.Event{
				engine.Started{}, engine.Planned{}, engine.LockWaited{}, engine.Recorded{}, engine.Applied{}, engine.Kept{}, engine.Failed{},
				engine.Skipped{}, engine.HookStarted{}, engine.HookEnded{}, engine.Waiting{}, engine.Trouble{}, engine.LogLine{},
				engine.Unready{}, engine.Warning{}, engine.Reverting{}, engine.Ended{},
			} {
				o.OnEvent(cleantest.Fill(e, text, errors.New(text)).(engine.Event))
			}
			got := spans.GetSpans()
			if len(got) < 4 {
				t.Fatalf("%d spans", len(got))
			}
			check := func(as []attribute.KeyValue) {
				for _, a := range as {
					cleantest.Check(t, string(a.Key), a.Value.String(), false)
				}
			}
			for _, span := range got {
				cleantest.Check(t, "name", span.Name, false)
				cleantest.Check(t, "status", span.Status.Description, true)
				check(span.Attributes)
				for _, e := range span.Events {
					cleantest.Check(t, "event", e.Name, false)
					check(e.Attributes)
				}
			}
		})
	}
}
