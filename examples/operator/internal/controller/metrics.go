package controller

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// passMetrics are the operator's metrics, besides those of controller-runtime.
type passMetrics struct {
	passes    *prometheus.HistogramVec
	corrected *prometheus.CounterVec
}

func newPassMetrics() *passMetrics {
	return &passMetrics{
		passes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fairlead_pass_duration_seconds", Help: "Duration of passes, by the phase that they left.",
			Buckets: prometheus.ExponentialBuckets(0.005, 4, 7),
		}, []string{"phase"}),
		corrected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fairlead_drift_corrected_total", Help: "Revisions that set back what others have changed.",
		}, []string{"namespace", "name"}),
	}
}

func (m *passMetrics) passed(app *v1alpha1.Application, took time.Duration) {
	m.passes.WithLabelValues(app.Status.Phase).Observe(took.Seconds())
}

// register adds the metrics to a registry, with one that says which Applications are
// ready.
func (m *passMetrics) register(to prometheus.Registerer, from client.Reader) error {
	return errors.Join(to.Register(m.passes), to.Register(m.corrected), to.Register(readiness{from}))
}

// readiness collects from the cache, so that nothing is kept of what is deleted.
type readiness struct{ from client.Reader }

var readyDesc = prometheus.NewDesc("fairlead_application_ready", "1 if the Application is ready.", []string{"namespace", "name", "phase"}, nil)

func (readiness) Describe(out chan<- *prometheus.Desc) { out <- readyDesc }

func (c readiness) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var all v1alpha1.ApplicationList
	if err := c.from.List(ctx, &all, client.UnsafeDisableDeepCopy); err != nil {
		return
	}
	for _, app := range all.Items {
		ready := 0.0
		if isReady(&app) {
			ready = 1
		}
		out <- prometheus.MustNewConstMetric(readyDesc, prometheus.GaugeValue, ready, app.Namespace, app.Name, app.Status.Phase)
	}
}
