package charts

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// Image says which image to run: by tag, by digest, or by both, of which the digest then decides.
type Image struct {
	// Repository of the image, with its registry.
	Repository string `json:"repository,omitempty" schema:"minLength=1"`
	// Tag of the image. Without tag and digest the chart's own default runs.
	Tag string `json:"tag,omitempty" schema:"pattern=^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$"`
	// Digest that pins the image, as sha256:… with 64 hex digits.
	Digest string `json:"digest,omitempty" schema:"pattern=^sha256:[0-9a-f]{64}$"`
	// When the image is pulled.
	PullPolicy string `json:"pullPolicy,omitempty" schema:"enum=Always|IfNotPresent|Never"`
}

// Registry is the login to a private registry. All of a release's logins go into one pull Secret.
type Registry struct {
	// Server of the registry, as registry.example.com.
	Server string `json:"server" schema:"minLength=1"`
	// User name at the registry.
	Username string `json:"username" schema:"minLength=1"`
	// Password or token at the registry.
	Password string `json:"password" schema:"minLength=1"`
	// E-mail address, which some registries ask for.
	Email string `json:"email,omitempty"`
}

// Probes are Kubernetes' probes. A handler that names no port asks the main one.
type Probes struct {
	// Whether there are probes at all.
	Enabled *bool `json:"enabled,omitempty"`
	// Startup probe: the others wait until it has succeeded once.
	Startup *corev1.Probe `json:"startup,omitempty"`
	// Liveness probe: a container that fails it is restarted.
	Liveness *corev1.Probe `json:"liveness,omitempty"`
	// Readiness probe: a pod that fails it leaves the Service.
	Readiness *corev1.Probe `json:"readiness,omitempty"`
}

// DisruptionBudget bounds how many pods a drain of nodes may take away at once. It takes one of its limits, not both.
type DisruptionBudget struct {
	// Whether there is a PodDisruptionBudget.
	Enabled *bool `json:"enabled,omitempty"`
	// Pods that must stay, as a number or a percentage.
	MinAvailable *intstr.IntOrString `json:"minAvailable,omitempty"`
	// Pods that may be away, as a number or a percentage; 1 if neither limit is given.
	MaxUnavailable *intstr.IntOrString `json:"maxUnavailable,omitempty"`
}
