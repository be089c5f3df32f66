package render

// KubeVersion is the version of a Kubernetes API server.
type KubeVersion struct {
	// Version with its leading v, "v1.37.2"; suffixes of distributions stay.
	Version string `json:"version"`
	// Major and Minor as the server says them, "1" and "37" or "37+". Empty
	// means those of Version.
	Major string `json:"major,omitempty"`
	Minor string `json:"minor,omitempty"`
}

// Capabilities are what templates see as .Capabilities.
type Capabilities struct {
	// KubeVersion of the cluster. Empty means the Kubernetes version that this
	// package was built against.
	KubeVersion KubeVersion `json:"kubeVersion"`
	// APIVersions served: "apps/v1", and for kinds as well
	// "apps/v1/Deployment". Empty means all that the Kubernetes version that
	// this package was built against knows, without kinds.
	APIVersions []string `json:"apiVersions,omitempty"`
	// HelmVersion is .Capabilities.HelmVersion.Version. Empty means the version
	// of Helm that this package behaves like.
	HelmVersion string `json:"helmVersion,omitempty"`
}
