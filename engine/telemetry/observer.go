// Package telemetry records the events of an engine as OpenTelemetry traces and
// metrics.
//
//	observer, err := telemetry.New(telemetry.Options{})
//	eng, err := engine.New(cfg, engine.Options{OnEvent: observer.OnEvent})
//
// # Traces
//
// Each operation is a span "fairlead deploy" (apply, rollback, uninstall), with a
// child for each object written ("write Deployment shop/web"), each object that
// it waits for ("wait …") and each hook ("hook …"). Troubles, log lines, plans
// and records are events of these spans. Attributes: fairlead.release,
// fairlead.namespace, fairlead.revision, fairlead.object, fairlead.action,
// fairlead.cause, fairlead.pod. The span of an operation is a child of the span
// given to [Observer.Within], otherwise a root. If two operations on one release
// run at once with the same observer, the one that waits for the lock has the
// span.
//
// # Metrics
//
//   - fairlead.call.duration: seconds, by operation and outcome (ok, failed)
//   - fairlead.object.writes: count, by action (Created, …, Failed, Skipped)
//   - fairlead.object.wait.duration: seconds, by kind and outcome
//   - fairlead.trouble: count, by cause
//
// Names of releases and objects are not attributes of metrics, to keep the
// number of series small.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

const scope = "github.com/fairlead-dev/fairlead/engine/telemetry"

// Options are the providers. The zero value uses the global ones.
type Options struct {
	Tracers trace.TracerProvider // nil: otel.GetTracerProvider()
	Meters  metric.MeterProvider // nil: otel.GetMeterProvider()
}

// Observer records events as spans and metrics. It is safe for concurrent use.
type Observer struct {
	tracer trace.Tracer
	calls  metric.Float64Histogram
	waits  metric.Float64Histogram
	writes metric.Int64Counter
	causes metric.Int64Counter

	mu      sync.Mutex
	parents map[engine.Key]context.Context
	open    map[engine.Key]*call
}

// call is one operation in progress.
type call struct {
	ctx   context.Context
	span  trace.Span
	waits map[diff.Object]*waiting // of objects and of hooks
}

type waiting struct {
	span  trace.Span
	began time.Time
}

// New returns an Observer. It fails if the meter rejects an instrument.
func New(opts Options) (*Observer, error) {
	if opts.Tracers == nil {
		opts.Tracers = otel.GetTracerProvider()
	}
	if opts.Meters == nil {
		opts.Meters = otel.GetMeterProvider()
	}
	o := &Observer{
		tracer:  opts.Tracers.Tracer(scope),
		parents: map[engine.Key]context.Context{}, open: map[engine.Key]*call{},
	}
	meter := opts.Meters.Meter(scope)
	var err error
	add := func(what string, instrument func() error) {
		if err == nil {
			if err = instrument(); err != nil {
				err = fmt.Errorf("telemetry: instrument %s: %w", what, err)
			}
		}
	}
	add("fairlead.call.duration", func() (err error) {
		o.calls, err = meter.Float64Histogram("fairlead.call.duration", metric.WithUnit("s"), metric.WithDescription("Duration of operations that write."), seconds)
		return err
	})
	add("fairlead.object.wait.duration", func() (err error) {
		o.waits, err = meter.Float64Histogram("fairlead.object.wait.duration", metric.WithUnit("s"), metric.WithDescription("How long objects took to become ready."), seconds)
		return err
	})
	add("fairlead.object.writes", func() (err error) {
		o.writes, err = meter.Int64Counter("fairlead.object.writes", metric.WithUnit("{object}"), metric.WithDescription("Objects by action."))
		return err
	})
	add("fairlead.trouble", func() (err error) {
		o.causes, err = meter.Int64Counter("fairlead.trouble", metric.WithUnit("{trouble}"), metric.WithDescription("Troubles seen while waiting."))
		return err
	})
	if err != nil {
		return nil, err
	}
	return o, nil
}

var seconds = metric.WithExplicitBucketBoundaries(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)

// Within makes the next operation on a release a child of the span in ctx.
func (o *Observer) Within(ctx context.Context, k engine.Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.parents[k] = trace.ContextWithSpanContext(context.Background(), trace.SpanContextFromContext(ctx))
}

// OnEvent is for [engine.Options].OnEvent.
func (o *Observer) OnEvent(e engine.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s, ok := e.(engine.Started); ok {
		o.start(s)
		return
	}
	c := o.open[e.Release()]
	if c == nil {
		return // only a plan
	}
	switch e := e.(type) {
	case engine.Ended:
		o.end(c, e)
	case engine.Planned:
		c.event(c.span, e, attribute.Int("fairlead.changes", e.Changes))
	case engine.LockWaited, engine.Recorded, engine.Reverting, engine.Warning:
		c.event(c.span, e)
	case engine.Applied:
		o.wrote(c, e, e.Object, string(e.Action), e.Took, nil)
	case engine.Kept:
		o.wrote(c, e, e.Object, string(diff.Kept), 0, nil)
	case engine.Skipped:
		o.wrote(c, e, e.Object, "Skipped", 0, nil)
	case engine.Failed:
		o.wrote(c, e, e.Object, "Failed", 0, e.Err)
	case engine.Waiting:
		c.event(o.wait(c, e, e.Object, "wait "), e, attribute.Int("fairlead.ready", e.Ready), attribute.Int("fairlead.desired", e.Desired))
	case engine.Trouble:
		o.causes.Add(c.ctx, 1, metric.WithAttributes(attribute.String("fairlead.cause", clean.Line(string(e.Cause)))))
		as := []attribute.KeyValue{attribute.String("fairlead.cause", clean.Line(string(e.Cause)))}
		if e.Pod != nil {
			as = append(as, attribute.String("fairlead.pod", clean.Line(e.Pod.Name)))
		}
		c.event(o.wait(c, e, e.Object, "wait "), e, as...)
	case engine.LogLine:
		c.event(o.wait(c, e, e.Object, "wait "), e, attribute.String("fairlead.pod", clean.Line(e.Pod)))
	case engine.Ready:
		o.settle(c, e, e.Object, "ready", nil)
	case engine.Unready:
		o.settle(c, e, e.Object, "unready", errors.New(e.String()))
	case engine.HookStarted:
		o.wait(c, e, e.Object, "hook "+clean.Line(e.Event)+" ")
	case engine.HookEnded:
		o.settle(c, e, e.Object, "hook", e.Err)
	}
}

func (o *Observer) start(e engine.Started) {
	parent := o.parents[e.Key]
	delete(o.parents, e.Key)
	if parent == nil {
		parent = context.Background()
	}
	if older := o.open[e.Key]; older != nil {
		older.close(e.At) // its Ended will be taken for the newer one's; operations on one release exclude each other
	}
	ctx, span := o.tracer.Start(parent, "fairlead "+clean.Line(string(e.Operation)), trace.WithTimestamp(e.At), trace.WithAttributes(
		attribute.String("fairlead.operation", clean.Line(string(e.Operation))),
		attribute.String("fairlead.namespace", clean.Line(e.Key.Namespace)), attribute.String("fairlead.release", clean.Line(e.Key.Name)),
	))
	o.open[e.Key] = &call{ctx: ctx, span: span, waits: map[diff.Object]*waiting{}}
}

func (o *Observer) end(c *call, e engine.Ended) {
	delete(o.open, e.Key)
	outcome := "ok"
	if e.Err != nil {
		outcome = "failed"
	}
	fail(c.span, e.Err)
	c.span.SetAttributes(attribute.Int("fairlead.revision", e.Revision))
	o.calls.Record(c.ctx, e.Took.Seconds(), metric.WithAttributes(attribute.String("fairlead.operation", clean.Line(string(e.Operation))), attribute.String("fairlead.outcome", outcome)))
	c.close(e.At)
}

func (c *call) close(at time.Time) {
	for _, w := range c.waits {
		w.span.End(trace.WithTimestamp(at))
	}
	c.span.End(trace.WithTimestamp(at))
}

func (c *call) event(span trace.Span, e engine.Event, as ...attribute.KeyValue) {
	span.AddEvent(e.String(), trace.WithTimestamp(e.Time()), trace.WithAttributes(as...))
}

// wrote records the span of a write, which has ended when its event is received.
func (o *Observer) wrote(c *call, e engine.Event, object diff.Object, action string, took time.Duration, err error) {
	o.writes.Add(c.ctx, 1, metric.WithAttributes(attribute.String("fairlead.action", clean.Line(action))))
	if took == 0 && err == nil {
		return // no request was sent
	}
	_, span := o.tracer.Start(c.ctx, "write "+object.String(), trace.WithTimestamp(e.Time().Add(-took)), trace.WithAttributes(
		attribute.String("fairlead.object", object.String()), attribute.String("fairlead.action", clean.Line(action))))
	fail(span, err)
	span.End(trace.WithTimestamp(e.Time()))
}

// wait returns the span of waiting for an object, and starts it if necessary.
func (o *Observer) wait(c *call, e engine.Event, object diff.Object, title string) trace.Span {
	w := c.waits[object]
	if w == nil {
		_, span := o.tracer.Start(c.ctx, title+object.String(), trace.WithTimestamp(e.Time()), trace.WithAttributes(attribute.String("fairlead.object", object.String())))
		w = &waiting{span, e.Time()}
		c.waits[object] = w
	}
	return w.span
}

func (o *Observer) settle(c *call, e engine.Event, object diff.Object, outcome string, err error) {
	span := o.wait(c, e, object, "wait ")
	fail(span, err)
	span.End(trace.WithTimestamp(e.Time()))
	o.waits.Record(c.ctx, e.Time().Sub(c.waits[object].began).Seconds(), metric.WithAttributes(attribute.String("fairlead.kind", clean.Line(object.Kind)), attribute.String("fairlead.outcome", outcome)))
	delete(c.waits, object)
}

func fail(span trace.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, clean.Text(err.Error()))
	}
}
