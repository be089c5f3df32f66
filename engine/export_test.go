package engine

import (
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// Told is all that an engine makes of a text that a cluster says about a release
// with a Secret.
type Told struct {
	Events    []Event
	Errors    []error
	Diagnoses []Diagnosis
}

// TellAbout has the cluster say text wherever it can.
func TellAbout(secret *unstructured.Unstructured, text string) Told {
	redactor := redactorOf(secret)
	var out Told
	key := Key{"shop", "web"}
	w := &waitReporter{
		emit: func(e Event) { out.Events = append(out.Events, e) }, key: key, redactor: redactor,
		last: map[diff.Object]string{}, reported: map[string]bool{}, pods: map[string]int{},
	}
	target := readiness.Target{GVR: schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}, Kind: "Deployment", Namespace: "shop", Name: "web"}
	pod := readiness.PodDiagnosis{Name: "web-1", Container: "app", Reason: text, Message: text, Image: text, Logs: []string{text}}
	w.update(readiness.Update{
		Target: target, Status: readiness.Status{State: readiness.Progressing, Desired: 2, Reason: text, Message: text},
		Troubles: []readiness.Trouble{{Reason: text, Message: text, Pod: &pod}, {Reason: text, Message: text}},
	})
	diagnosed := readiness.Diagnosis{
		Kind: "Deployment", Namespace: "shop", Name: "web", State: readiness.Failed, Reason: text, Message: text, Hint: text,
		Pods: []readiness.PodDiagnosis{pod}, Events: []readiness.Event{{Object: "Pod web-1", Reason: text, Message: text}},
	}
	failed := notReady(key, 1, redactor.String, &readiness.NotReady{Objects: []readiness.Diagnosis{diagnosed}, Total: 1})
	w.end(readiness.Result{}, failed)
	out.Diagnoses = append(out.Diagnoses, diagnosis(diagnosed, redactor.String))

	refused := &Error{Op: "apply", Key: key, Err: errors.New(text)}
	refused.hide(redactor, diff.Object{Kind: "ConfigMap", Name: "c"})
	gone := notReady(key, 1, redactor.String, &readiness.NotGone{Objects: []readiness.Diagnosis{diagnosed}, Err: context.Canceled})
	out.Errors = []error{failed, gone, refused, withoutSecrets(redactor, errors.New(text)), &ApplyError{Key: key, Failed: []*Error{refused}}}
	for _, err := range out.Errors {
		out.Events = append(out.Events, Failed{about(key), diff.Object{}, err}, HookEnded{about(key), diff.Object{}, "test", 1, err})
	}
	out.Events = append(out.Events, Warning{about(key), redactor.String(text)}, Ended{EventMeta: about(key), Err: failed})
	return out
}

// WatchedKinds are the resources of which an engine watches objects now.
func WatchedKinds(e *Engine) map[string]bool {
	out := map[string]bool{}
	for _, o := range e.watches.all() {
		for _, r := range o.Resources() {
			out[r.Resource] = true
		}
	}
	return out
}

// Update is the flag by which tests rewrite what they compare with.
var Update = update

// AgeCache makes all that the engine remembers older.
func (e *Engine) AgeCache(by time.Duration) {
	e.cache.mu.Lock()
	defer e.cache.mu.Unlock()
	for _, el := range e.cache.by {
		in := el.Value.(*cachedResult).inputs
		in.taken = in.taken.Add(-by)
	}
}
