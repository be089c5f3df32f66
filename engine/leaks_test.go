package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/progress"
	"github.com/fairlead-dev/fairlead/engine/telemetry"
	"github.com/fairlead-dev/fairlead/internal/redact/redacttest"
)

// TestAttackFormsInTexts has the cluster show a secret value in every form that is
// found, and looks for it wherever that is told: events, logs, errors, status,
// progress, spans and metrics. Plans and reports are tested in package diff.
func TestAttackFormsInTexts(t *testing.T) {
	for _, f := range redacttest.Forms {
		if !f.Found {
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			for _, v := range redacttest.Values {
				secret := &unstructured.Unstructured{Object: map[string]any{
					"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s"}, "stringData": map[string]any{"password": v},
				}}
				told := engine.TellAbout(secret, "said "+f.Of(v)+" at once")
				for place, out := range toldIn(t, told) {
					if shown := redacttest.Shows(f, v, out); shown != "" {
						t.Errorf("%s shows %q of %q", place, shown, f.Of(v))
					}
				}
			}
		})
	}
}

func toldIn(t *testing.T, told engine.Told) map[string]string {
	t.Helper()
	places := map[string]*bytes.Buffer{}
	for _, place := range []string{"events", "events as JSON", "log", "log as JSON", "errors", "status", "progress", "spans", "metrics"} {
		places[place] = &bytes.Buffer{}
	}
	decoded := func(place string, data []byte, err error) {
		var v any
		if err == nil {
			err = json.Unmarshal(data, &v)
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(places[place], v)
	}
	for _, err := range told.Errors {
		fmt.Fprintf(places["errors"], "%v\n%+v\n", err, err)
	}
	data, err := json.Marshal(told.Diagnoses)
	decoded("status", data, err)
	spans, reader := tracetest.NewInMemoryExporter(), sdkmetric.NewManualReader()
	observer, err := telemetry.New(telemetry.Options{
		Tracers: sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)), Meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)),
	})
	if err != nil {
		t.Fatal(err)
	}
	view := progress.New(places["progress"], progress.Options{Style: progress.GitHub})
	all := engine.Observers(observer.OnEvent, view.OnEvent, func(e engine.Event) {
		fmt.Fprintln(places["events"], e.String())
		data, err := engine.MarshalEvent(e)
		decoded("events as JSON", data, err)
	},
		engine.LogEvents(slog.New(slog.NewTextHandler(places["log"], &slog.HandlerOptions{Level: slog.LevelDebug}))),
		engine.LogEvents(slog.New(slog.NewJSONHandler(places["log as JSON"], &slog.HandlerOptions{Level: slog.LevelDebug}))),
	)
	var started engine.Started
	started.Key = engine.Key{Namespace: "shop", Name: "web"}
	for _, e := range append([]engine.Event{started}, told.Events...) {
		all(e)
	}
	view.Close()
	for _, span := range spans.GetSpans() {
		fmt.Fprintln(places["spans"], span.Name, span.Status.Description, span.Attributes, span.Events)
	}
	var metrics metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &metrics); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(places["metrics"], metrics)
	out := map[string]string{}
	for place, b := range places {
		if b.Len() == 0 {
			t.Errorf("nothing was told in %s", place)
		}
		out[place] = b.String()
	}
	return out
}
