package cluster

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/lru"
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
	asOf := c.rules.forgotten.Load()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	got, err := c.Typed.AuthorizationV1().SelfSubjectRulesReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
		return &Rules{}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &Rules{got.Status.ResourceRules, !got.Status.Incomplete}
	c.rules.note(namespace, out, asOf)
	return out, nil
}

// KnowsRules reports whether Rules was called for a namespace a short time ago, and
// nothing was forbidden to these credentials since.
func (c *Cluster) KnowsRules(namespace string) bool { return c.rules.of(namespace) != nil }

// RecentlyGranted reports whether the rules that were returned a short time ago for
// a namespace satisfy granted; false if there are none, or anything was forbidden to
// these credentials since.
func (c *Cluster) RecentlyGranted(namespace string, granted func([]authorizationv1.ResourceRule) bool) bool {
	known := c.rules.of(namespace)
	return known != nil && granted(known.List)
}

const (
	// rulesLast is how long rules are remembered: many releases of a namespace are
	// deployed one after the other. Whether a write is allowed decides the API server.
	rulesLast = time.Minute
	// rulesNamespaces bounds of how many namespaces.
	rulesNamespaces = 128
)

// recentRules are the rules of these credentials, by namespace. They are safe for
// concurrent use.
type recentRules struct {
	known     *lru.Cache    // of datedRules
	forgotten atomic.Uint64 // how often
}

type datedRules struct {
	*Rules
	at time.Time
}

func newRecentRules() *recentRules { return &recentRules{known: lru.New(rulesNamespaces)} }

// note remembers rules that were asked for when so much had been forgotten: an answer
// from before a refusal does not count after it.
func (r *recentRules) note(namespace string, rules *Rules, asOf uint64) {
	r.known.Add(namespace, datedRules{rules, time.Now()})
	if r.forgotten.Load() != asOf {
		r.known.Remove(namespace)
	}
}

func (r *recentRules) of(namespace string) *Rules {
	known, ok := r.known.Get(namespace)
	if !ok {
		return nil
	}
	if time.Since(known.(datedRules).at) > rulesLast {
		r.known.Remove(namespace)
		return nil
	}
	return known.(datedRules).Rules
}

func (r *recentRules) forget() {
	r.forgotten.Add(1)
	r.known.Clear()
}

// forgetsRules forgets what is remembered of rules when anything is forbidden.
type forgetsRules struct {
	next  http.RoundTripper
	rules *recentRules
}

func (f forgetsRules) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusForbidden {
		f.rules.forget()
	}
	return res, err
}

func (f forgetsRules) WrappedRoundTripper() http.RoundTripper { return f.next }

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
