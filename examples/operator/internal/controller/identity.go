package controller

import (
	"cmp"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/examples/operator/api/v1alpha1"
)

// identity is who reads and writes for an Application.
type identity struct {
	engine *engine.Engine
	reader client.Reader // from the API server
}

// identities keeps the identity of each Application: what its engine remembers of the
// release is why a pass over one that nothing has touched takes no request.
type identities struct{ known sync.Map }

// knownIdentity is an identity and what of the Application it was made for.
type knownIdentity struct {
	of string
	identity
}

func (i *identities) forget(key types.NamespacedName) { i.known.Delete(key) }

// identity returns who acts for the Application: its ServiceAccount, whose
// permissions the operator need not have, and by its rules of ownership.
func (r *reconciler) identity(app *v1alpha1.Application) (identity, error) {
	account := cmp.Or(app.Spec.ServiceAccountName, r.DefaultServiceAccount)
	key, of := client.ObjectKeyFromObject(app), fmt.Sprintf("%s %q", account, app.Spec.Drift)
	if known, ok := r.identities.known.Load(key); ok && known.(knownIdentity).of == of {
		return known.(knownIdentity).identity, nil
	}
	eng, reader := r.engine, r.live
	if account != "" {
		as := rest.ImpersonationConfig{UserName: fmt.Sprintf("system:serviceaccount:%s:%s", app.Namespace, account)}
		config := rest.CopyConfig(r.config)
		config.Impersonate = as
		var err error
		if eng, err = r.engine.As(as); err != nil {
			return identity{}, err
		}
		if reader, err = client.New(config, client.Options{Scheme: r.client.Scheme(), Mapper: r.client.RESTMapper()}); err != nil {
			return identity{}, err
		}
	}
	eng, err := eng.With(func(o *engine.Options) {
		for _, rule := range app.Spec.Drift.Ignore {
			o.Ownership = append(o.Ownership, engine.Ownership{Manager: rule.Manager, Kind: rule.Kind, Path: rule.Path, Settle: engine.Yield})
		}
		if app.Spec.Drift.Mode == v1alpha1.DriftCorrect {
			o.Ownership = append(o.Ownership, engine.Ownership{Settle: engine.Take})
		}
	})
	if err != nil {
		return identity{}, err
	}
	out := identity{eng, reader}
	r.identities.known.Store(key, knownIdentity{of, out})
	return out, nil
}
