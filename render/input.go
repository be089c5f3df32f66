package render

import "context"

// Input is what a chart is rendered with. Only Name is needed.
type Input struct {
	Name      string // of the release: a DNS-1123 name of at most 53 characters, as Helm wants it
	Namespace string // of the release; empty: "default"
	Revision  int    // .Release.Revision; 0: 1
	Upgrade   bool   // .Release.IsUpgrade; false: .Release.IsInstall

	Values       Values         // zero: the chart's own defaults
	Capabilities *Capabilities  // nil: the defaults of the Kubernetes version built against
	Lookup       LookupFunc     // nil: lookup answers empty, as in helm template
	PostRender   []PostRenderer // in turn, over Objects; not over hooks and CRDs, as in Helm 3
	Limits       Limits         // zero: safe limits
}

// Capabilities tell templates what the cluster can do.
type Capabilities struct {
	KubeVersion string   // "v1.37.2"; empty: the version built against, DefaultKubeVersion
	APIVersions []string // "apps/v1", "apps/v1/Deployment"; nil: the groups that Kubernetes itself brings
}

// LookupFunc answers the template function lookup. An empty name asks for a list, an empty namespace for all. What is
// not found is an empty map and no error. It may be called by several renderings at once.
type LookupFunc func(apiVersion, kind, namespace, name string) (map[string]any, error)

// PostRenderer changes rendered objects before they are ordered. It must not change the objects that it is given:
// copies are cheap, and the given ones may be shared. Objects that it returns need no Text: it is written anew when empty.
type PostRenderer interface {
	PostRender(ctx context.Context, objects []Object) ([]Object, error)
}
