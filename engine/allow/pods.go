package allow

import (
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/fairlead-dev/fairlead/engine"
)

// Level is a level of the Pod Security Standards.
type Level string

const (
	// Baseline blocks known ways out of a container: privileged containers,
	// namespaces, paths and ports of the host.
	Baseline Level = "baseline"
	// Restricted demands what current practice of hardening does: no root, no
	// capabilities, a seccomp profile.
	Restricted Level = "restricted"
)

// templates are where objects have pods, by "group/Kind".
var templates = map[string][]string{
	"/Pod":                   {},
	"/PodTemplate":           {"template"},
	"/ReplicationController": {"spec", "template"},
	"apps/Deployment":        {"spec", "template"},
	"apps/StatefulSet":       {"spec", "template"},
	"apps/DaemonSet":         {"spec", "template"},
	"apps/ReplicaSet":        {"spec", "template"},
	"batch/Job":              {"spec", "template"},
	"batch/CronJob":          {"spec", "jobTemplate", "spec", "template"},
}

var evaluator = sync.OnceValues(func() (policy.Evaluator, error) { return policy.NewEvaluator(policy.DefaultChecks(), nil) })

// PodSecurity blocks pods, and workloads with pods, that do not meet a level of
// the Pod Security Standards in its latest version. An unknown level blocks all
// of them.
func PodSecurity(level Level) Rule {
	return func(a engine.Access) error {
		if a.Desired == nil {
			return nil
		}
		path, ok := templates[a.Object.Group+"/"+a.Object.Kind]
		if !ok {
			return nil
		}
		of := api.Level(level)
		if of != api.LevelBaseline && of != api.LevelRestricted {
			return fmt.Errorf("unknown Pod Security level %q", level)
		}
		pod, err := podAt(a.Desired, path)
		if err != nil {
			return err
		}
		checks, err := evaluator()
		if err != nil {
			return fmt.Errorf("the Pod Security Standards cannot be evaluated: %w", err)
		}
		found := policy.AggregateCheckResults(checks.EvaluatePod(api.LevelVersion{Level: of, Version: api.LatestVersion()}, &pod.ObjectMeta, &pod.Spec))
		if found.Allowed {
			return nil
		}
		return fmt.Errorf("not of Pod Security level %s: %s", level, strings.TrimSpace(found.ForbiddenDetail()))
	}
}

// podAt is the pod at a path of an object; one without anything if there is
// none.
func podAt(u *unstructured.Unstructured, path []string) (corev1.PodTemplateSpec, error) {
	var pod corev1.PodTemplateSpec
	template, _, err := unstructured.NestedMap(u.Object, path...)
	if err != nil {
		return pod, fmt.Errorf("%s is no mapping", strings.Join(path, "."))
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &pod); err != nil {
		return pod, fmt.Errorf("its pods cannot be read, so they cannot be judged: %w", err)
	}
	return pod, nil
}
