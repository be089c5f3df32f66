package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/json"
)

// annotationRevision is where the Deployment controller numbers ReplicaSets.
const annotationRevision = "deployment.kubernetes.io/revision"

// podVersion is one revision of a workload's pod template, as the workload's
// controller keeps it.
type podVersion struct {
	revision int64
	template map[string]any
}

// earlierTemplate is the pod template of the revision to go back to. It has
// what the API server filled in then.
func (e *Engine) earlierTemplate(ctx context.Context, k Key, r Rollout, u *unstructured.Unstructured) (map[string]any, error) {
	if why := e.blocked(k, identityIn(k, u), u); why != nil {
		return nil, notAllowed("undo", k, identityIn(k, u), why)
	}
	versions, err := e.podVersions(ctx, k, u)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(versions, func(a, b podVersion) int { return int(b.revision - a.revision) })
	if r.Revision == 0 && len(versions) > 1 {
		return versions[1].template, nil
	}
	var have []string
	for _, v := range versions {
		if v.revision == r.Revision {
			return v.template, nil
		}
		have = append(have, strconv.FormatInt(v.revision, 10))
	}
	what := fmt.Sprintf("%s/%s has no revision %d", u.GetKind(), u.GetName(), r.Revision)
	if r.Revision == 0 {
		what = fmt.Sprintf("%s/%s has none before the current one", u.GetKind(), u.GetName())
	}
	return nil, &Error{
		Op: "undo", Key: k, Object: identityIn(k, u), Err: fmt.Errorf("%w: %s", ErrRevisionNotFound, what),
		Hint: fmt.Sprintf("kubectl rollout history shows %v; Engine.Rollback goes back to a revision of the release", have),
	}
}

// podVersions are the pod templates that the controller of u keeps.
func (e *Engine) podVersions(ctx context.Context, k Key, u *unstructured.Unstructured) ([]podVersion, error) {
	o := identityIn(k, u)
	selector, err := selectorOf(u)
	if err != nil {
		return nil, err
	}
	list := metav1.ListOptions{LabelSelector: selector.String()}
	apps := e.cluster.Typed.AppsV1()
	owned := func(m metav1.Object) bool {
		c := metav1.GetControllerOf(m)
		return c != nil && c.Kind == o.Kind && c.Name == o.Name
	}
	var out []podVersion
	if o.Kind == "Deployment" {
		sets, err := apps.ReplicaSets(o.Namespace).List(ctx, list)
		if err != nil {
			return nil, fmt.Errorf("list the ReplicaSets of %s: %w", o, err)
		}
		for _, rs := range sets.Items {
			number, err := strconv.ParseInt(rs.Annotations[annotationRevision], 10, 64)
			if err != nil || !owned(&rs) {
				continue
			}
			delete(rs.Spec.Template.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
			template, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&rs.Spec.Template)
			if err != nil {
				return nil, fmt.Errorf("read the template of ReplicaSet %s: %w", rs.Name, err)
			}
			unstructured.RemoveNestedField(template, "metadata", "creationTimestamp")
			out = append(out, podVersion{number, template})
		}
		return out, nil
	}
	revisions, err := apps.ControllerRevisions(o.Namespace).List(ctx, list)
	if err != nil {
		return nil, fmt.Errorf("list the ControllerRevisions of %s: %w", o, err)
	}
	for _, cr := range revisions.Items {
		if !owned(&cr) {
			continue
		}
		data := &unstructured.Unstructured{Object: map[string]any{}}
		if err := json.Unmarshal(cr.Data.Raw, &data.Object); err != nil {
			return nil, fmt.Errorf("read ControllerRevision %s: %w", cr.Name, err)
		}
		template, ok, err := unstructured.NestedMap(data.Object, templateAt...)
		if err != nil || !ok {
			continue // not written by the controller
		}
		delete(template, "$patch")
		unstructured.RemoveNestedField(template, "metadata", "creationTimestamp")
		out = append(out, podVersion{cr.Revision, template})
	}
	return out, nil
}
