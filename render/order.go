package render

import (
	"slices"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// InstallOrder sorts objects in place as Helm installs them, by kind: what
// others need first, unknown kinds last. What is equal keeps its order.
func InstallOrder(objects []Object) {
	slices.SortStableFunc(objects, func(a, b Object) int {
		return chartfile.CompareInstall(a.GetKind(), b.GetKind())
	})
}

// UninstallOrder sorts objects in place as Helm removes them, by kind. What is
// equal keeps its order.
func UninstallOrder(objects []Object) {
	slices.SortStableFunc(objects, func(a, b Object) int {
		return chartfile.CompareUninstall(a.GetKind(), b.GetKind())
	})
}
