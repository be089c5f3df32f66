package controller

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/cel-go/cel"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// maxExprCost bounds one evaluation, in cel-go's units.
const maxExprCost = 100_000

// unmet is why a revision must not begin yet; empty: nothing.
func (r *reconciler) unmet(ctx context.Context, app *v1alpha1.Application) (string, error) {
	for _, d := range app.Spec.DependsOn {
		other := &v1alpha1.Application{}
		key := client.ObjectKey{Namespace: app.Namespace, Name: d.Name}
		err := r.client.Get(ctx, key, other)
		if apierrors.IsNotFound(err) {
			err = r.live.Get(ctx, key, other) // it may be another shard's
		}
		switch {
		case apierrors.IsNotFound(err):
			return fmt.Sprintf("application %s does not exist", d.Name), nil
		case err != nil:
			return "", err
		case !isReady(other):
			return fmt.Sprintf("application %s is not ready", d.Name), nil
		case d.ReadyExpr == "":
			continue
		}
		if ok, err := holds(ctx, d.ReadyExpr, other); err != nil || !ok {
			if err != nil {
				return "", fmt.Errorf("spec.dependsOn: readyExpr of %s: %w", d.Name, err)
			}
			return fmt.Sprintf("application %s: %s is false", d.Name, d.ReadyExpr), nil
		}
	}
	return "", nil
}

func isReady(app *v1alpha1.Application) bool {
	return app.Status.ObservedGeneration == app.Generation && meta.IsStatusConditionTrue(app.Status.Conditions, v1alpha1.Ready)
}

// holds evaluates a CEL expression over an Application.
func holds(ctx context.Context, expr string, app *v1alpha1.Application) (bool, error) {
	env, err := cel.NewEnv(cel.Variable("app", cel.DynType), cel.OptionalTypes())
	if err != nil {
		return false, err
	}
	ast, issues := env.Compile(expr)
	if issues.Err() != nil {
		return false, issues.Err()
	}
	program, err := env.Program(ast, cel.CostLimit(maxExprCost), cel.InterruptCheckFrequency(100))
	if err != nil {
		return false, err
	}
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(app)
	if err != nil {
		return false, err
	}
	out, _, err := program.ContextEval(ctx, map[string]any{"app": object})
	if err != nil {
		return false, err
	}
	yes, ok := out.Value().(bool)
	if !ok {
		return false, fmt.Errorf("it is %s, not bool", out.Type().TypeName())
	}
	return yes, nil
}

// dependants are the Applications that depend on one that has changed.
func (r *reconciler) dependants(ctx context.Context, changed client.Object) []ctrl.Request {
	var all v1alpha1.ApplicationList
	if r.client.List(ctx, &all, client.InNamespace(changed.GetNamespace()), client.UnsafeDisableDeepCopy) != nil {
		return nil // they look again by themselves
	}
	var out []ctrl.Request
	for _, app := range all.Items {
		if slices.ContainsFunc(app.Spec.DependsOn, func(d v1alpha1.Dependency) bool { return d.Name == changed.GetName() }) {
			out = append(out, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&app)})
		}
	}
	return out
}
