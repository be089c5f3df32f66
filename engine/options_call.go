package engine

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
)

// refused returns an error about the options of a call; nil for nil.
func refused(op string, k Key, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Key: k, Err: err}
}

// validate returns an error for options of planning that are not accepted.
func (o PlanOptions) validate(k Key) error {
	err := oneOf("PlanOptions.DryRun", o.DryRun, DryRunChanged, DryRunAll, DryRunNone)
	if err == nil {
		err = validContainers("PlanOptions.UnsafeDelete", o.UnsafeDelete)
	}
	if err == nil {
		err = assumed(o.Assume).validate("PlanOptions.Assume")
	}
	return refused("plan", k, err)
}

// validate returns an error for options that are not accepted, or that the
// call cannot honour. op is the Operation as text.
func (o ApplyOptions) validate(op string, k Key) error {
	return refused(op, k, o.check(Operation(op)))
}

func (o ApplyOptions) check(op Operation) error {
	if err := oneOf("ApplyOptions.OnFailure", o.OnFailure, LeaveFailed, RollBack, RollBackOrUninstall); err != nil {
		return err
	}
	if err := oneOf("ApplyOptions.OnCancel", o.OnCancel, LeavePending, CancelFails, CancelIsFailure); err != nil {
		return err
	}
	if err := notNegative("ApplyOptions.Timeout", o.Timeout); err != nil {
		return err
	}
	if err := notNegative("ApplyOptions.HooksTimeout", o.HooksTimeout); err != nil {
		return err
	}
	if err := notNegative("ApplyOptions.LockTimeout", o.LockTimeout); err != nil {
		return err
	}
	if err := o.FailurePolicy.validate("ApplyOptions.FailurePolicy"); err != nil {
		return err
	}
	if err := validContainers("ApplyOptions.UnsafeDelete", o.UnsafeDelete); err != nil {
		return err
	}
	if err := validLabels("ApplyOptions.Labels", o.Labels); err != nil {
		return err
	}
	switch {
	case len(o.UnsafeDelete) > 0 && op == OperationRollout:
		return onlyFor("ApplyOptions.UnsafeDelete", op, "calls that delete")
	case o.OnFailure != LeaveFailed && op != OperationDeploy && op != OperationReconcile && op != OperationApply:
		return onlyFor("ApplyOptions.OnFailure", op, "Deploy, and Apply of its plan")
	case o.KeepHistory && op != OperationUninstall && op != OperationApply:
		return onlyFor("ApplyOptions.KeepHistory", op, "Uninstall, and Apply of its plan")
	case o.Release != nil && op != OperationApply:
		return onlyFor("ApplyOptions.Release", op, "Apply")
	case o.Key != (Key{}) && op != OperationApply:
		return onlyFor("ApplyOptions.Key", op, "Apply")
	case o.Kinds != nil && op != OperationApply:
		return onlyFor("ApplyOptions.Kinds", op, "Apply")
	case o.Release != nil && o.Key != (Key{}) && o.Key != o.Release.Key:
		return invalid("ApplyOptions.Key", "is %s, and ApplyOptions.Release is %s", o.Key, o.Release.Key)
	}
	for i, kind := range o.Kinds {
		if err := oneOf(indexed("ApplyOptions.Kinds", i), kind, PlanInstall, PlanUpgrade, PlanRollback, PlanUninstall, PlanCorrection, PlanRollout); err != nil {
			return err
		}
	}
	return nil
}

// validate returns an error for options of a pass that are not accepted.
func (o ReconcileOptions) validate(op string, k Key) error {
	return refused(op, k, o.apply().check(Operation(op)))
}

// validContainers returns an error for objects that hold nothing, or are not
// named in full.
func validContainers(field string, objects []diff.Object) error {
	for i, o := range objects {
		namespaced, ok := containerKinds[schema.GroupKind{Group: o.Group, Kind: o.Kind}]
		switch {
		case !ok:
			return invalid(indexed(field, i), "is a %q of group %q; accepted are CustomResourceDefinition of group apiextensions.k8s.io, and Namespace, PersistentVolumeClaim and PersistentVolume of group \"\"", o.Kind, o.Group)
		case o.Name == "":
			return invalid(indexed(field, i), "has no Name")
		case namespaced != (o.Namespace != ""):
			return invalid(indexed(field, i), "has Namespace %q; of these kinds a PersistentVolumeClaim has one, and only it", o.Namespace)
		}
	}
	return nil
}

// containerKinds are the kinds that objects or data are lost with, and whether
// they are in a namespace.
var containerKinds = map[schema.GroupKind]bool{
	crdKind: false, {Kind: "Namespace"}: false, {Kind: "PersistentVolume"}: false, {Kind: "PersistentVolumeClaim"}: true,
}

// validate returns an error for options of tests that are not accepted.
func (o TestOptions) validate(k Key) error {
	err := notNegative("TestOptions.Timeout", o.Timeout)
	if err == nil {
		err = notNegative("TestOptions.HooksTimeout", o.HooksTimeout)
	}
	if err == nil {
		err = notNegative("TestOptions.LockTimeout", o.LockTimeout)
	}
	if err == nil {
		err = o.FailurePolicy.validate("TestOptions.FailurePolicy")
	}
	return refused(string(OperationTest), k, err)
}

// validate returns an error for statuses that no revision can have: without it
// List would return nothing for a misspelt one.
func (o ListOptions) validate() error {
	for i, s := range o.Statuses {
		if err := oneOf(indexed("ListOptions.Statuses", i), s,
			StatusDeployed, StatusSuperseded, StatusFailed, StatusUninstalling, StatusUninstalled,
			StatusPendingInstall, StatusPendingUpgrade, StatusPendingRollback); err != nil {
			return refused("list", Key{}, err)
		}
	}
	return nil
}

// validate returns an error for a verb that does not exist, and for fields that
// the verb does not use.
func (r Rollout) validate(k Key) error {
	err := oneOf("Rollout.Verb", r.Verb, Pause, Resume, Restart, Undo, Scale)
	switch {
	case err != nil:
	case r.Replicas != 0 && r.Verb != Scale:
		err = onlyFor("Rollout.Replicas", Operation(r.Verb), string(Scale))
	case r.Replicas < 0:
		err = invalid("Rollout.Replicas", "is %d; accepted are 0, which stops all pods, and more", r.Replicas)
	case r.Revision != 0 && r.Verb != Undo:
		err = onlyFor("Rollout.Revision", Operation(r.Verb), string(Undo))
	case r.Revision < 0:
		err = invalid("Rollout.Revision", "is %d; accepted are a revision of the workload, and 0 (the one before the current one)", r.Revision)
	}
	return refused(string(OperationRollout), k, err)
}

func (p FailurePolicy) validate(field string) error {
	if p.CrashRestarts < 0 {
		return invalid(field+".CrashRestarts", "is %d; accepted are 1 and more, and 0 (%d); a negative CrashLoop never ends the wait", p.CrashRestarts, defaultCrashRestarts)
	}
	return nil
}

func onlyFor(field string, op Operation, verbs string) error {
	return invalid(field, "is set, and %s does not use it; it is for %s only", strings.ToLower(string(op)), verbs)
}

func notNegative(field string, d time.Duration) error {
	if d < 0 {
		return invalid(field, "is %v; accepted are 0 (the default) and more", d)
	}
	return nil
}
