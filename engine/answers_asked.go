package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// asked is what a call was given.
type asked struct {
	digest [32]byte
	source Source // a pointer, if it is not in the digest
}

// askedRelease is what of a Release a result depends on, in place of its source:
// all but what cannot be compared, and a budget of memory.
type askedRelease struct {
	Values                          map[string]any
	ReuseValues                     ReuseValues
	Cause                           string
	Labels                          map[string]string
	CommonLabels, CommonAnnotations map[string]string
	Owner                           *metav1.OwnerReference
	CreateNamespace, Adopt, Force   bool
	UnsafePrune                     bool
	Seed                            SeedPolicy
	PostRenderScope                 render.PostRenderScope
	Helm                            render.HelmVersion
	Strict, SkipSchema              bool
	Limits                          render.Limits
	Hide                            []*unstructured.Unstructured
}

// askedOptions is ReconcileOptions, in an order of its own.
type askedOptions struct {
	Timeout, HooksTimeout, RetryAfter time.Duration
	FailurePolicy                     FailurePolicy
	Foreground, NoHooks, KeepHistory  bool
	History                           int
	UnsafeDelete                      []diff.Object
	OnFailure                         OnFailure
	Force, Adopt                      bool
	Cause                             string
	Labels                            map[string]string
}

// askedOf is what a pass is given. ok is false if it cannot be compared with that of
// another pass: functions, values that are read from the cluster, and sources that
// may render something else each time.
func (a *answers) askedOf(r Release, opts ReconcileOptions) (out asked, ok bool) {
	if len(r.ValuesFrom) > 0 || len(r.PostRender) > 0 || r.SchemaLoader != nil {
		return asked{}, false
	}
	content := ""
	switch source := r.Source.(type) {
	case *render.Chart:
		if source == nil {
			return asked{}, false
		}
		if content = source.Info().Digest; content == "" {
			return asked{}, false
		}
	case *render.Kustomization, *render.Manifests:
		out.source = source
	default:
		return asked{}, false
	}
	out.digest, ok = a.digest(content, askedRelease{
		r.Values.Map(), r.ReuseValues, r.Cause, r.Labels, r.CommonLabels, r.CommonAnnotations, r.Owner,
		r.CreateNamespace, r.Adopt, r.Force, r.UnsafePrune, r.Seed, r.PostRenderScope, r.Helm, r.Strict, r.SkipSchema, r.Limits, r.Hide,
	}, optionsAsked(opts))
	return out, ok
}

func optionsAsked(o ReconcileOptions) askedOptions {
	return askedOptions{
		o.Timeout, o.HooksTimeout, o.RetryAfter, o.FailurePolicy, o.Foreground, o.NoHooks, o.KeepHistory,
		o.History, o.UnsafeDelete, o.OnFailure, o.Force, o.Adopt, o.Cause, o.Labels,
	}
}

// digest is keyed, because values may be secrets.
func (a *answers) digest(parts ...any) (out [32]byte, ok bool) {
	h := hmac.New(sha256.New, a.key)
	for _, p := range parts {
		if err := json.NewEncoder(h).Encode(p); err != nil {
			return out, false // a value without JSON, such as NaN
		}
	}
	h.Sum(out[:0])
	return out, true
}
