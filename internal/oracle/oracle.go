// Package oracle renders charts with Helm itself, for tests to compare with:
// the engine alone, and all that helm template does. Helm changes the charts
// that it renders, so each call needs a freshly loaded one.
//
// Nothing but tests and the programs below test/ may import it.
package oracle

import (
	"errors"
	"fmt"
	"strings"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/release"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// Options say which release is rendered. The zero value is an install in no
// namespace.
type Options struct {
	Name, Namespace string
	Revision        int
	Upgrade         bool
	// Strict makes a missing value an error.
	Strict bool
	// SkipSchema leaves values.schema.json aside.
	SkipSchema bool
}

// Files is the text of each template by its path, as Helm's engine returns it.
// The values are the user's. A panic of Helm's is an error.
func Files(c *chart.Chart, values map[string]any, o Options) (files map[string]string, err error) {
	defer recovered(&err)
	if err := chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		return nil, err
	}
	kube, err := chartutil.ParseKubeVersion(chartfile.DefaultKubeVersion)
	if err != nil {
		return nil, err
	}
	caps := chartutil.DefaultCapabilities.Copy()
	caps.KubeVersion = *kube
	top, err := chartutil.ToRenderValuesWithSchemaValidation(c, values, chartutil.ReleaseOptions{
		Name: o.Name, Namespace: o.Namespace, Revision: o.Revision, IsUpgrade: o.Upgrade, IsInstall: !o.Upgrade,
	}, caps, o.SkipSchema)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: o.Strict}.Render(c, top)
}

// Template is what helm template does: an install without a cluster. Revision,
// Upgrade and Strict are not looked at, because that command has no such
// choice.
func Template(c *chart.Chart, values map[string]any, o Options) (r *release.Release, err error) {
	defer recovered(&err)
	if c.Metadata.Type == "library" {
		return nil, errors.New("library charts are not installable")
	}
	if err := action.CheckDependencies(c, c.Metadata.Dependencies); err != nil {
		return nil, err
	}
	kube, err := chartutil.ParseKubeVersion(chartfile.DefaultKubeVersion)
	if err != nil {
		return nil, err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.Replace = true, true, true
	install.ReleaseName, install.Namespace, install.KubeVersion = o.Name, o.Namespace, kube
	install.SkipSchemaValidation = o.SkipSchema
	return install.Run(c, values)
}

// Printed is what helm template prints of a release.
func Printed(r *release.Release) string {
	var b strings.Builder
	fmt.Fprintln(&b, strings.TrimSpace(r.Manifest))
	for _, h := range r.Hooks {
		fmt.Fprintf(&b, "---\n# Source: %s\n%s\n", h.Path, h.Manifest)
	}
	return b.String()
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("helm panics: %v", r)
	}
}
