package chartfile

import (
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chartutil"
)

// DefaultKubeVersion is the Kubernetes version that this module is built
// against: that of its client-go.
const DefaultKubeVersion = "v1.37.0"

// Capabilities are what templates see under that name.
type Capabilities = chartutil.Capabilities

// NewCapabilities fills in what is empty.
func NewCapabilities(version, major, minor string, apiVersions []string, helmVersion string) (*Capabilities, error) {
	caps := chartutil.DefaultCapabilities.Copy()
	if version == "" {
		version = DefaultKubeVersion
	}
	parsed, err := chartutil.ParseKubeVersion(version)
	if err != nil {
		return nil, fmt.Errorf("the Kubernetes version %q is no version: %w", version, err)
	}
	caps.KubeVersion = *parsed
	// A distribution's suffix stays, as it does when Helm asks the server.
	if version[0] == 'v' && strings.Count(version, ".") > 1 {
		caps.KubeVersion.Version = version
	}
	if major != "" {
		caps.KubeVersion.Major = major
	}
	if minor != "" {
		caps.KubeVersion.Minor = minor
	}
	if len(apiVersions) > 0 {
		caps.APIVersions = slices.Clone(apiVersions)
	}
	if helmVersion != "" {
		caps.HelmVersion.Version = helmVersion
	}
	return caps, nil
}
