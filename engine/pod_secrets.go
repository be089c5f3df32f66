package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/parallel"
)

const (
	// maxPodSecrets bounds how many Secrets are read for one call because pods
	// use them, and podSecretsTime how long that may take.
	maxPodSecrets  = 32
	podSecretsTime = 5 * time.Second
)

var secretsGVR = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}

// podTexts hides Secret values in what pods print and in what is said about
// them: those that the redactor knows, and those of other Secrets that the pods
// use. The latter are read when there is the first such text, which is when a pod
// is in trouble: nothing is read for a release that becomes ready. What may not
// be read is not known, and so not hidden.
type podTexts struct {
	e        *Engine
	key      Key
	redactor *diff.Redactor
	// objects are those whose pods these are, in all states; nil ones are ignored.
	objects func() []*unstructured.Unstructured

	once sync.Once
	full *diff.Redactor
}

// in returns the function that hides values in a text.
func (p *podTexts) in(ctx context.Context) func(string) string {
	return func(text string) string {
		if text == "" {
			return ""
		}
		p.once.Do(func() { p.full = p.redactor.With(p.read(ctx)...) })
		return p.full.String(text)
	}
}

// read reads the Secrets, also if ctx has ended because of the trouble.
func (p *podTexts) read(ctx context.Context) []*unstructured.Unstructured {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), podSecretsTime)
	defer cancel()
	names := secretsOfPods(p.key, p.objects())
	found := make([]*unstructured.Unstructured, len(names))
	work := parallel.New(ctx, p.e.opts.Concurrency)
	for i, o := range names {
		if p.e.blocked(p.key, o, nil) != nil {
			continue
		}
		work.Do(func(ctx context.Context) error {
			if u, err := p.e.cluster.Dynamic.Resource(secretsGVR).Namespace(o.Namespace).Get(ctx, o.Name, metav1.GetOptions{}); err == nil {
				found[i] = u
			}
			return nil
		})
	}
	_ = work.Wait() // no function fails
	return found
}

// secretsOfPods returns the Secrets that pods of a release's objects use and that
// are not among these; nil objects are ignored.
func secretsOfPods(k Key, objects []*unstructured.Unstructured) []diff.Object {
	var used []diff.Object
	own := map[diff.Object]bool{}
	for _, u := range objects {
		if u == nil {
			continue
		}
		namespace := u.GetNamespace()
		if namespace == "" {
			namespace = k.Namespace
		}
		if u.GetKind() == "Secret" {
			own[secretNamed(namespace, u.GetName())] = true
			continue
		}
		eachPodSpec(u.Object, func(spec map[string]any) {
			eachSecretName(spec, func(name string) {
				if o := secretNamed(namespace, name); !slices.Contains(used, o) {
					used = append(used, o)
				}
			})
		})
	}
	used = slices.DeleteFunc(used, func(o diff.Object) bool { return own[o] })
	return used[:min(len(used), maxPodSecrets)]
}

func secretNamed(namespace, name string) diff.Object {
	return diff.Object{Version: "v1", Kind: "Secret", Namespace: namespace, Name: name}
}

// eachPodSpec calls do with every pod spec in an object of any kind: it is a map
// with containers.
func eachPodSpec(v any, do func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["containers"].([]any); ok {
			do(v)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachPodSpec(v[key], do)
		}
	case []any:
		for _, e := range v {
			eachPodSpec(e, do)
		}
	}
}

// secretRefs are the fields of a pod spec whose name is that of a Secret: of
// environment variables, volumes and their drivers, and image pulls.
var secretRefs = []string{"secretKeyRef", "secretRef", "secret", "imagePullSecrets", "nodePublishSecretRef"}

// eachSecretName calls do with the names of the Secrets that a part of a pod spec
// refers to.
func eachSecretName(v any, do func(string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if name, ok := v[key].(string); ok && key == "secretName" {
				do(name)
			}
			if slices.Contains(secretRefs, key) {
				eachName(v[key], do)
			}
			eachSecretName(v[key], do)
		}
	case []any:
		for _, e := range v {
			eachSecretName(e, do)
		}
	}
}

func eachName(v any, do func(string)) {
	switch v := v.(type) {
	case map[string]any:
		if name, ok := v["name"].(string); ok && name != "" {
			do(name)
		}
	case []any:
		for _, e := range v {
			eachName(e, do)
		}
	}
}
