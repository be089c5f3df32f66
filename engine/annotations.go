package engine

import (
	"github.com/fairlead-dev/fairlead/engine/internal/order"
	"github.com/fairlead-dev/fairlead/render"
)

// Annotations by which objects of a release are put in order, beyond the order
// of their kinds. See docs/ordering.md.
const (
	// AnnotationDependsOn names objects of the same release that must be ready
	// before this one is applied, and that are deleted after it: a list,
	// separated by commas, of GROUP/namespaces/NAMESPACE/KIND/NAME, or
	// GROUP/KIND/NAME for what is in no namespace; GROUP is empty for the core
	// kinds. It is the annotation of kpt and cli-utils.
	AnnotationDependsOn = order.DependsOn
	// AnnotationWave is an integer, 0 if it is missing: the objects of a lower
	// wave are ready before those of a higher one are applied, and are deleted
	// after them.
	AnnotationWave = order.Wave
	// AnnotationSyncWave is that of Argo CD. It counts where AnnotationWave is
	// not set; as there, a value that is not an integer counts as 0.
	AnnotationSyncWave = order.SyncWave
)

// inInstallOrder sorts objects by the order of their kinds, and within a kind
// as the manifest has them.
func inInstallOrder(objects []render.Object) []render.Object {
	return order.Sort(objects, render.Object.GetKind)
}
