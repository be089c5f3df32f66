package engine

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
	"github.com/fairlead-dev/fairlead/internal/storage"
)

// Storage decides where revisions are kept, which are the locks of releases, too.
// Zero: as Helm keeps them, in Secrets of the release's namespace. A release is
// found only where it is kept: changing this starts a new history for each.
type Storage struct {
	// Driver is what a revision is kept in. Zero: a Secret.
	Driver StorageDriver
	// Namespace keeps the revisions of all releases. Two releases of one name
	// cannot both be kept in it. Empty: each in its own namespace. It is not
	// created.
	Namespace string
	// Config is the cluster to keep them in, with the permissions for it;
	// Options.As does not apply to it. Without Namespace it must have the
	// namespaces of the releases. Plans name no permissions there. Nil: the
	// cluster of the engine.
	Config *rest.Config
	// Memory keeps them in this process, for tests; the other fields are then
	// refused. Nil: they are kept in a cluster.
	Memory *MemoryStorage
}

// StorageDriver is what a revision is kept in.
type StorageDriver string

const (
	// StorageSecrets keeps revisions in Secrets, as Helm does by default.
	StorageSecrets StorageDriver = ""
	// StorageConfigMaps keeps them in ConfigMaps, as Helm does with
	// HELM_DRIVER=configmap. A revision holds the values and the Secrets of the
	// release: who may read ConfigMaps can then read them. Digests in stored plans
	// need Options.PlanKey.
	StorageConfigMaps StorageDriver = "configmap"
)

// MemoryStorage keeps revisions in this process. Several engines may
// share one.
type MemoryStorage struct{ memory *storage.Memory }

// NewMemoryStorage returns an empty MemoryStorage.
func NewMemoryStorage() *MemoryStorage { return &MemoryStorage{storage.NewMemory()} }

func (s Storage) validate() error {
	if err := oneOf("Options.Storage.Driver", s.Driver, StorageSecrets, StorageConfigMaps); err != nil {
		return err
	}
	if s.Namespace != "" {
		if why := validation.IsDNS1123Label(s.Namespace); len(why) > 0 {
			return invalid("Options.Storage.Namespace", "is %q: %s", s.Namespace, why[0])
		}
	}
	if s.Memory != nil && (s.Driver != StorageSecrets || s.Namespace != "" || s.Config != nil) {
		return invalid("Options.Storage.Memory", "is set; then Driver, Namespace and Config must not be")
	}
	if s.Memory != nil && s.Memory.memory == nil {
		return invalid("Options.Storage.Memory", "is not made by NewMemoryStorage")
	}
	return nil
}

// home is where an engine keeps revisions.
type home struct {
	store  *storage.Store
	leases func(k Key) leases // nil: there are none
}

// homeIn is the home that the options ask for; c is the engine's own cluster.
func (o Options) homeIn(c *cluster.Cluster) (home, error) {
	s := o.Storage
	if s.Memory != nil {
		return home{storage.In(s.Memory.memory, ""), nil}, nil
	}
	if s.Config != nil {
		var err error
		if c, err = cluster.NewElsewhere(s.Config, o.Logger); err != nil {
			return home{}, err
		}
	}
	open := storage.New
	if s.Driver == StorageConfigMaps {
		open = storage.NewConfigMaps
	}
	return home{open(c.Typed, c.Metadata).Placed(s.Namespace), func(k Key) leases {
		return c.Typed.CoordinationV1().Leases(s.namespaceOf(k))
	}}, nil
}

// elsewhere reports whether nothing is kept in the engine's own cluster.
func (s Storage) elsewhere() bool { return s.Config != nil || s.Memory != nil }

// namespaceOf is the namespace that a release is kept in.
func (s Storage) namespaceOf(k Key) string {
	if s.Namespace != "" {
		return s.Namespace
	}
	return k.Namespace
}

// noting is the store, with its writes noted for watches.
func (s Storage) noting(store *storage.Store, writes *observe.Writes) *storage.Store {
	return store.OnWrite(func(namespace, revision string) func(string) {
		return writes.Begin(observe.Object{
			Resource: schema.GroupResource{Resource: s.resource()}, Namespace: s.namespaceOf(Key{Namespace: namespace}), Name: revision,
		})
	})
}

// resource is that of revisions.
func (s Storage) resource() string {
	if s.Driver == StorageConfigMaps {
		return "configmaps"
	}
	return "secrets"
}
