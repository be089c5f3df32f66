package chartfile

import (
	"reflect"
	"slices"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

// Every method that templates can reach on their data has its cost stated, or is
// listed here as one that is charged as if it wrote out all that it can see.
func TestEveryMethodHasACost(t *testing.T) {
	assumed := []string{
		"chartutil.Values.YAML", "chartutil.Values.Encode",
		"*chartutil.Capabilities.Copy", "*chart.Dependency.Validate", "*chart.Maintainer.Validate", "*chart.Metadata.Validate",
	}
	for _, v := range []any{
		files{}, chartutil.Values{}, &chartutil.Capabilities{}, chartutil.KubeVersion{}, &chartutil.KubeVersion{},
		chartutil.VersionSet{}, &chart.Dependency{}, &chart.Maintainer{}, &chart.Metadata{},
	} {
		of := reflect.TypeOf(v)
		for i := range of.NumMethod() {
			m := of.Method(i)
			args := make([]any, m.Type.NumIn()-1)
			for j := range args {
				args[j] = reflect.Zero(m.Type.In(j + 1)).Interface()
			}
			_, _, stated := MethodCost(v, m.Name, args)
			if name := of.String() + "." + m.Name; stated == slices.Contains(assumed, name) {
				t.Errorf("%s: cost stated: %t; state it in MethodCost, or list it here if its worst is assumed", name, stated)
			}
		}
	}
}
