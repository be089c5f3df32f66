package controller

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/render"
)

// defaultInterval is how often a newer chart is looked for.
const defaultInterval = 10 * time.Minute

// chart returns the chart of an Application, and after how long a newer one is looked
// for; 0: it cannot change by itself.
func (r *reconciler) chart(ctx context.Context, app *v1alpha1.Application, who identity) (*render.Chart, time.Duration, error) {
	from := app.Spec.Chart
	switch {
	case from.BuiltIn == "webapp":
		return charts.WebApp(), 0, nil
	case from.BuiltIn == "database":
		return charts.Database(), 0, nil
	case from.ConfigMap != nil:
		return r.chartInConfigMap(ctx, app, *from.ConfigMap, who)
	}
	at := charts.Location{Ref: from.OCI + from.URL, Version: from.Version} // one of them is empty
	if from.Repository != nil {
		at.Ref, at.Repository = from.Repository.Name, from.Repository.URL
	}
	if from.SecretName != "" {
		login := &corev1.Secret{}
		if err := who.reader.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: from.SecretName}, login); err != nil {
			return nil, 0, fmt.Errorf("spec.chart.secretName: %w", err)
		}
		at.Username, at.Password = string(login.Data["username"]), string(login.Data["password"])
	}
	every := defaultInterval
	if app.Spec.Interval != nil {
		every = max(app.Spec.Interval.Duration, time.Second)
	}
	return r.charts.Chart(keyOf(app).String(), at, every, nil)
}

// chartInConfigMap returns the chart of a ConfigMap, which is unpacked once for each
// content.
func (r *reconciler) chartInConfigMap(ctx context.Context, app *v1alpha1.Application, from v1alpha1.ConfigMapKey, who identity) (*render.Chart, time.Duration, error) {
	m := &corev1.ConfigMap{}
	if err := who.reader.Get(ctx, client.ObjectKey{Namespace: app.Namespace, Name: from.Name}, m); err != nil {
		return nil, 0, fmt.Errorf("spec.chart.configMap: %w", err)
	}
	data, ok := m.BinaryData[from.Key]
	if !ok {
		return nil, 0, fmt.Errorf("spec.chart.configMap: ConfigMap %s has no %q in its binaryData", from.Name, from.Key)
	}
	at := charts.Location{Ref: "configmap/" + string(m.UID) + "/" + from.Key, Version: m.ResourceVersion}
	return r.charts.Chart(keyOf(app).String(), at, 0, func(ctx context.Context) (*render.Chart, error) {
		return render.Loader{Limits: r.Charts.Limits}.Archive(ctx, bytes.NewReader(data))
	})
}
