package observe

import (
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
)

// Object names an object that was read or written.
type Object struct {
	Resource        schema.GroupResource
	Namespace, Name string
}

// Inputs are what was read of a release, by resourceVersions.
type Inputs struct {
	Release   Release
	Objects   map[Object]string
	Revisions map[string]string // by the name of what each is kept in
	Rendered  bool              // with what the API server serves
}

// Epoch is a state of the kinds that the API server serves, and of their schemas.
type Epoch struct{ served, definitions uint64 }

// Epoch returns the present one.
func (o *Observer) Epoch() Epoch {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.epoch
}

// Confirms reports whether all inputs are as they were read, and their kinds as in
// an epoch: what the watches have seen last is just that, and none of them is
// behind. So what this process has written since counts as changed until it is
// seen.
func (o *Observer) Confirms(in *Inputs, then Epoch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.confirmsKinds(in, then) && o.confirmsHistory(in) && o.confirmsObjects(in)
}

// confirmsKinds is false while a change of a definition of one of the groups may
// not be published yet, and while it could be missed. Where definitions may not be
// watched, all that was rendered counts as changed from time to time.
func (o *Observer) confirmsKinds(in *Inputs, then Epoch) bool {
	if in.Rendered && o.epoch.served != then.served {
		return false
	}
	for object := range in.Objects {
		if group := object.Resource.Group; o.changes[group] != nil || o.changed[group] > then.definitions {
			return false
		}
	}
	return !slices.ContainsFunc(o.definitions, func(f *feed) bool { return !apierrors.IsForbidden(f.err) && !f.inSync() })
}

func (o *Observer) confirmsHistory(in *Inputs) bool {
	namespace := in.Release.Namespace
	if o.opts.Histories.Namespace != "" {
		namespace = o.opts.Histories.Namespace
	}
	if !slices.ContainsFunc(o.histories, func(f *feed) bool {
		return (f.place.namespace == "" || f.place.namespace == namespace) && f.inSync()
	}) {
		return false
	}
	r := o.releases[in.Release]
	if r == nil || len(r.revisions) != len(in.Revisions) {
		return false
	}
	for at, rev := range r.revisions {
		if in.Revisions[at.name] != rev.version {
			return false
		}
	}
	return true
}

func (o *Observer) confirmsObjects(in *Inputs) bool {
	synced := map[*feed]bool{}
	confirmed := func(f *feed, object Object, version string) bool {
		if f == nil {
			return false
		}
		inSync, asked := synced[f]
		if !asked {
			inSync = f.inSync()
			synced[f] = inSync
		}
		seen := f.records[name{object.Namespace, object.Name}]
		return inSync && seen != nil && seen.version == version
	}
	for object, version := range in.Objects {
		ok := confirmed(o.feeds[place{object.Resource, ""}], object, version) ||
			object.Namespace != "" && confirmed(o.feeds[place{object.Resource, object.Namespace}], object, version)
		for _, f := range o.definitions {
			ok = ok || f.place.resource == object.Resource && confirmed(f, object, version)
		}
		if !ok {
			return false
		}
	}
	return true
}

// refreshKinds reads what the API server serves: after a definition has changed,
// and from time to time for what shows in none, such as its version. It returns
// when to come again.
func (o *Observer) refreshKinds(now time.Time, changed bool) time.Duration {
	wait := cluster.DiscoveryAge - now.Sub(o.refreshed)
	if wait > 0 && !changed && o.served != nil {
		return wait
	}
	if wait <= 0 && o.served != nil {
		o.opts.Cluster.Refresh(o.ctx)
	}
	served, err := o.opts.Cluster.Capabilities(o.ctx)
	if err != nil {
		return time.Second
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	forbidden := slices.ContainsFunc(o.definitions, func(f *feed) bool { return apierrors.IsForbidden(f.err) })
	if o.served == nil || served.KubeVersion != o.served.KubeVersion || !slices.Equal(served.APIVersions, o.served.APIVersions) || forbidden {
		o.epoch.served++
		o.resolve = true
	}
	if wait <= 0 || o.served == nil {
		o.refreshed, wait = now, cluster.DiscoveryAge
	}
	o.served = served
	return wait
}
