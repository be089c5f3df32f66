package cluster

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Rules are the RBAC rules of these credentials in a namespace.
type Rules struct {
	List []authorizationv1.ResourceRule
	// Complete is false if an authorizer could not list all of its rules.
	Complete bool
}

// Rules returns the RBAC rules of these credentials in a namespace. They are
// empty and incomplete if the API server does not allow the question.
func (c *Cluster) Rules(ctx context.Context, namespace string) (*Rules, error) {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	got, err := c.Typed.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return &Rules{}, nil
	}
	if err != nil {
		return nil, err
	}
	return &Rules{got.Status.ResourceRules, !got.Status.Incomplete}, nil
}

// Allowed reports whether these credentials have a permission. It returns
// true if the API server does not allow the question.
func (c *Cluster) Allowed(ctx context.Context, a authorizationv1.ResourceAttributes) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &a}}
	got, err := c.Typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return got.Status.Allowed, nil
}
