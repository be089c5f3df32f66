package readiness

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
)

// Diagnose returns the current state of one object, and its cause, whenever it
// was deployed. Only a failure to read the object itself is an error; an absent
// object is a diagnosis. o.OnUpdate and o.Limits are not used.
func Diagnose(ctx context.Context, t Target, o Options) (Diagnosis, error) {
	if err := o.check([]Target{t}); err != nil {
		return Diagnosis{}, err
	}
	o.Logs = o.Logs.within(diagnoseLogsWithin)
	var res dynamic.ResourceInterface = o.Client.Resource(t.GVR)
	if t.Namespace != "" {
		res = o.Client.Resource(t.GVR).Namespace(t.Namespace)
	}
	obj, err := res.Get(ctx, t.Name, metav1.GetOptions{})
	var st Status
	switch {
	case apierrors.IsNotFound(err):
		obj = nil
		st = Status{State: Failed, Reason: "NotFound", Message: "the object does not exist"}
	case err != nil:
		return Diagnosis{}, fmt.Errorf("readiness: reading %s: %w", t, err)
	default:
		st = t.assess(obj, o.Rules)
	}
	v, read := newView(), &reader{ctx: ctx, o: o}
	if obj != nil && isClaim(t) && st.State == Progressing {
		st = read.claimStatus(obj, st)
	}
	if obj != nil && st.State != Ready && t.Namespace != "" {
		if ownsPods(t) {
			read.list(podsGVR, t.Namespace, v)
			read.list(replicaSetsGVR, t.Namespace, v)
		}
		read.warnings(t.Namespace, v)
	}
	var troubles []trouble
	if st.State != Ready && st.State != Unknown || obj != nil && !t.matches(obj) {
		troubles = troublesOf(v, t, obj, st)
	}
	d := describe(v, t, obj, st, troubles)
	if d.State != Ready && d.State != Unknown {
		read.enrich(&d, obj)
	}
	return d, nil
}
