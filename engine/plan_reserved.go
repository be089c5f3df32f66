package engine

import (
	"errors"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// errReserved refuses what forges the history of a release, or holds its lock.
var errReserved = errors.New("a chart may not bring the Secrets and Leases in which releases are kept")

// refuseReserved returns an error if a manifest has an object, hook or CRD that
// the engine or Helm keeps releases in.
func refuseReserved(k Key, m *render.Manifest) error {
	if m == nil {
		return nil
	}
	check := func(o render.Object) error {
		if o.Unstructured == nil || !storage.Reserved(o.Unstructured) {
			return nil
		}
		return &Error{
			Op: "plan", Key: k, Object: diff.ObjectOf(o.Unstructured), Err: errReserved,
			Hint: "take it out of " + o.Source + ", or give it another name and type",
		}
	}
	for _, objects := range [][]render.Object{m.Objects, m.CRDs} {
		for _, o := range objects {
			if err := check(o); err != nil {
				return err
			}
		}
	}
	for _, h := range m.Hooks {
		if err := check(h.Object); err != nil {
			return err
		}
	}
	return nil
}
