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

// arguments are what a call was given, as they are compared.
type arguments struct {
	digest [32]byte
	source Source // a pointer, if it is not in the digest
}

// releaseArguments are what of a Release a result depends on, in place of its source:
// all but what cannot be compared, and a budget of memory.
type releaseArguments struct {
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

// optionArguments are ReconcileOptions, in an order of its own.
type optionArguments struct {
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

// argumentsOf is what a pass is given. ok is false if it cannot be compared with that of
// another pass: functions, values that are read from the cluster, and sources that
// may render something else each time.
func (c *resultCache) argumentsOf(r Release, opts ReconcileOptions) (out arguments, ok bool) {
	if len(r.ValuesFrom) > 0 || len(r.PostRender) > 0 || r.SchemaLoader != nil {
		return arguments{}, false
	}
	content := ""
	switch source := r.Source.(type) {
	case *render.Chart:
		if source == nil {
			return arguments{}, false
		}
		if content = source.Info().Digest; content == "" {
			return arguments{}, false
		}
	case *render.Kustomization, *render.Manifests:
		out.source = source
	default:
		return arguments{}, false
	}
	out.digest, ok = c.digest(content, releaseArguments{
		r.Values.Map(), r.ReuseValues, r.Cause, r.Labels, r.CommonLabels, r.CommonAnnotations, r.Owner,
		r.CreateNamespace, r.Adopt, r.Force, r.UnsafePrune, r.Seed, r.PostRenderScope, r.Helm, r.Strict, r.SkipSchema, r.Limits, r.Hide,
	}, optionArgumentsOf(opts))
	return out, ok
}

func optionArgumentsOf(o ReconcileOptions) optionArguments {
	return optionArguments{
		o.Timeout, o.HooksTimeout, o.RetryAfter, o.FailurePolicy, o.Foreground, o.NoHooks, o.KeepHistory,
		o.History, o.UnsafeDelete, o.OnFailure, o.Force, o.Adopt, o.Cause, o.Labels,
	}
}

// digest is keyed, because values may be secrets.
func (c *resultCache) digest(parts ...any) (out [32]byte, ok bool) {
	h := hmac.New(sha256.New, c.key)
	for _, p := range parts {
		if err := json.NewEncoder(h).Encode(p); err != nil {
			return out, false // a value without JSON, such as NaN
		}
	}
	h.Sum(out[:0])
	return out, true
}
