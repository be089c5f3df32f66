package engine_test

import (
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// serverMinor is the minor version of the API server, for the tests that cannot
// do without.
func (f *fixture) serverMinor() int {
	f.Helper()
	v, err := f.client.Discovery().ServerVersion()
	if err != nil {
		f.Fatal(err)
	}
	minor, err := strconv.Atoi(strings.TrimSuffix(v.Minor, "+"))
	if err != nil {
		f.Fatal(err)
	}
	return minor
}

// since skips a test for which Kubernetes 1.minor is needed, and says why.
func (f *fixture) since(minor int, why string) {
	f.Helper()
	if have := f.serverMinor(); have < minor {
		f.Skipf("needs Kubernetes 1.%d, and the API server is 1.%d: %s", minor, have, why)
	}
}

// serves reports whether the API server has a kind.
func (f *fixture) serves(groupVersion, kind string) bool {
	f.Helper()
	list, err := f.client.Discovery().ServerResourcesForGroupVersion(groupVersion)
	if apierrors.IsNotFound(err) {
		return false
	}
	if err != nil {
		f.Fatal(err)
	}
	for _, r := range list.APIResources {
		if r.Kind == kind {
			return true
		}
	}
	return false
}
