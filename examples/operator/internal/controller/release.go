package controller

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
	"github.com/fairlead-dev/fairlead/render"
)

func keyOf(app *v1alpha1.Application) engine.Key {
	return engine.Key{Namespace: app.Namespace, Name: app.Name}
}

// wanted is what an Application wants, and a digest of it.
type wanted struct {
	release engine.Release
	digest  string
}

func (r *reconciler) wanted(ctx context.Context, app *v1alpha1.Application, who identity, chart *render.Chart) (wanted, error) {
	out := wanted{release: engine.Release{Key: keyOf(app), Source: chart}}
	sum := sha256.New()
	fmt.Fprintln(sum, chart.Info().Digest)
	if app.Spec.Values != nil {
		values, err := render.MergeValues(render.FromYAML("spec.values", app.Spec.Values.Raw))
		if err != nil {
			return wanted{}, err
		}
		out.release.Values = values
		sum.Write(app.Spec.Values.Raw)
	}
	for _, from := range app.Spec.ValuesFrom {
		out.release.ValuesFrom = append(out.release.ValuesFrom, engine.ValuesFrom(from))
		version, err := versionOf(ctx, who.reader, app.Namespace, from)
		if err != nil {
			return wanted{}, err
		}
		if err := json.NewEncoder(sum).Encode([]any{from, version}); err != nil {
			return wanted{}, err
		}
	}
	out.digest = "sha256:" + hex.EncodeToString(sum.Sum(nil))
	return out, nil
}

// versionOf identifies the content of a ConfigMap or Secret; it is empty for an
// optional one that does not exist. The engine reads the content itself.
func versionOf(ctx context.Context, reader client.Reader, namespace string, from v1alpha1.ValuesReference) (string, error) {
	var o client.Object = &corev1.ConfigMap{}
	if from.Kind == "Secret" {
		o = &corev1.Secret{}
	}
	err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: from.Name}, o)
	if from.Optional {
		err = client.IgnoreNotFound(err)
	}
	if err != nil {
		return "", fmt.Errorf("spec.valuesFrom: %w", err)
	}
	return string(o.GetUID()) + "/" + o.GetResourceVersion(), nil
}
