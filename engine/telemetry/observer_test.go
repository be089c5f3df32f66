package telemetry_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/telemetry"
)

var (
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	shop  = engine.Key{Namespace: "shop", Name: "web"}
	web   = diff.Object{Group: "apps", Version: "v1", Kind: "Deployment", Namespace: "shop", Name: "web"}
	job   = diff.Object{Group: "batch", Version: "v1", Kind: "Job", Namespace: "shop", Name: "migrate"}
)

// story is a deploy whose Deployment does not become ready.
func story() []engine.Event {
	var (
		started engine.Started
		planned engine.Planned
		hook    engine.HookStarted
		hooked  engine.HookEnded
		applied engine.Applied
		waiting engine.Waiting
		trouble engine.Trouble
		unready engine.Unready
		ended   engine.Ended
	)
	sec := func(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }
	started.Key, started.At, started.Operation = shop, sec(0), engine.OperationDeploy
	planned.Key, planned.At, planned.Summary, planned.Changes = shop, sec(1), "1 to create", 1
	hook.Key, hook.At, hook.Object, hook.Event = shop, sec(1), job, "pre-install"
	hooked.Key, hooked.At, hooked.Object, hooked.Event, hooked.Took = shop, sec(2), job, "pre-install", time.Second
	applied.Key, applied.At, applied.Object, applied.Action, applied.Took = shop, sec(3), web, diff.Created, time.Second
	waiting.Key, waiting.At, waiting.Object, waiting.Desired = shop, sec(4), web, 3
	trouble.Key, trouble.At, trouble.Object, trouble.Cause = shop, sec(5), web, "CrashLoop"
	trouble.Pod = &engine.PodDiagnosis{Name: "web-1"}
	unready.Key, unready.At, unready.Object = shop, sec(9), web
	ended.Key, ended.At, ended.Operation, ended.Revision, ended.Took, ended.Err = shop, sec(10), engine.OperationDeploy, 4, 10*time.Second, errors.New("not ready")
	return []engine.Event{planned, started, planned, hook, hooked, applied, waiting, trouble, unready, ended}
}

func TestSpansAndMetricsOfADeploy(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	reader := sdkmetric.NewManualReader()
	o, err := telemetry.New(telemetry.Options{Tracers: tracers, Meters: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, pipeline := tracers.Tracer("test").Start(context.Background(), "pipeline")
	o.Within(ctx, shop)
	for _, e := range story() {
		o.OnEvent(e)
	}
	var got []string
	byName := map[string]tracetest.SpanStub{}
	for _, s := range spans.GetSpans() {
		got = append(got, s.Name+" "+s.EndTime.Sub(s.StartTime).String()+" "+s.Status.Description)
		byName[s.Name] = s
	}
	slices.Sort(got)
	want := []string{
		"fairlead deploy 10s not ready",
		"hook pre-install Job shop/migrate 1s ",
		"wait Deployment shop/web 5s Unready Deployment shop/web",
		"write Deployment shop/web 1s ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	root := byName["fairlead deploy"]
	if root.Parent.SpanID() != pipeline.SpanContext().SpanID() {
		t.Error("the operation is not a child of the pipeline")
	}
	for name, s := range byName {
		if name != "fairlead deploy" && s.Parent.SpanID() != root.SpanContext.SpanID() {
			t.Errorf("%s is not a child of the operation", name)
		}
	}
	if n := len(byName["wait Deployment shop/web"].Events); n != 2 {
		t.Errorf("the wait has %d events", n)
	}

	var data metricdata.ResourceMetrics
	if err := reader.Collect(context.Background(), &data); err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, m := range data.ScopeMetrics[0].Metrics {
		switch d := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range d.DataPoints {
				counts[m.Name] += float64(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range d.DataPoints {
				counts[m.Name] += p.Sum
			}
		}
	}
	for name, want := range map[string]float64{"fairlead.call.duration": 10, "fairlead.object.writes": 1, "fairlead.object.wait.duration": 6, "fairlead.trouble": 1} {
		if counts[name] != want {
			t.Errorf("%s is %v, want %v", name, counts[name], want)
		}
	}
}

// Without a provider nothing is recorded, and operations that never end cost one
// entry for each release.
func TestWithoutProviders(t *testing.T) {
	o, err := telemetry.New(telemetry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range append(story()[:8], story()...) {
		o.OnEvent(e)
	}
}
