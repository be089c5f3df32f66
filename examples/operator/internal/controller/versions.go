package controller

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// versions remembers what was written last, so that no pass starts from a status that
// the cache has not seen replaced yet.
type versions struct{ last sync.Map }

func (v *versions) wrote(app *v1alpha1.Application) {
	v.last.Store(client.ObjectKeyFromObject(app), app.ResourceVersion)
}

// later reports whether what was written last is later than the object.
func (v *versions) later(app *v1alpha1.Application) bool {
	last, ok := v.last.Load(client.ObjectKeyFromObject(app))
	if !ok {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(app.ResourceVersion, last.(string))
	return err == nil && order < 0
}

func (v *versions) forget(key types.NamespacedName) { v.last.Delete(key) }
