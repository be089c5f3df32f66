package engine

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// frozen are fields that the API server does not let change, but for except.
type frozen struct{ fields, except []string }

// frozenFields are those of Kubernetes' own kinds, by group and kind, as the
// validation of its API server has them (ValidateUpdate in pkg/apis). It names
// the field where the API server only says "spec", and stands in for its word
// where it cannot be asked.
var frozenFields = map[string]frozen{
	"apps/Deployment": {fields: []string{"spec.selector"}},
	"apps/DaemonSet":  {fields: []string{"spec.selector"}},
	"apps/ReplicaSet": {fields: []string{"spec.selector"}},
	"apps/StatefulSet": {fields: []string{"spec"}, except: []string{
		"spec.replicas", "spec.ordinals", "spec.template", "spec.updateStrategy",
		"spec.revisionHistoryLimit", "spec.persistentVolumeClaimRetentionPolicy", "spec.minReadySeconds",
	}},
	"batch/Job": {fields: []string{
		"spec.template", "spec.selector", "spec.completions", "spec.completionMode", "spec.podFailurePolicy",
		"spec.backoffLimitPerIndex", "spec.managedBy", "spec.successPolicy",
	}},
	"/Service":               {fields: []string{"spec.clusterIP", "spec.clusterIPs", "spec.loadBalancerClass"}},
	"/PersistentVolumeClaim": {fields: []string{"spec"}, except: []string{"spec.resources.requests", "spec.volumeAttributesClassName"}},
	"/PersistentVolume":      {fields: []string{"spec.volumeMode"}},
	"/Pod": {fields: []string{"spec"}, except: []string{
		"spec.containers", "spec.initContainers", "spec.activeDeadlineSeconds", "spec.tolerations", "spec.terminationGracePeriodSeconds",
	}},
	"/Secret":                                       {fields: []string{"type"}},
	"storage.k8s.io/StorageClass":                   {fields: []string{"provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"}},
	"storage.k8s.io/VolumeAttributesClass":          {fields: []string{"driverName", "parameters"}},
	"rbac.authorization.k8s.io/RoleBinding":         {fields: []string{"roleRef"}},
	"rbac.authorization.k8s.io/ClusterRoleBinding":  {fields: []string{"roleRef"}},
	"scheduling.k8s.io/PriorityClass":               {fields: []string{"value", "preemptionPolicy"}},
	"node.k8s.io/RuntimeClass":                      {fields: []string{"handler"}},
	"networking.k8s.io/IngressClass":                {fields: []string{"spec.controller"}},
	"apiextensions.k8s.io/CustomResourceDefinition": {fields: []string{"spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"}},
}

// isFrozen says whether the kind is known not to let the field change.
func isFrozen(live *unstructured.Unstructured, o diff.Object, path string) bool {
	known := frozenFields[o.Group+"/"+o.Kind]
	fields := known.fields
	if o.Group == "" && (o.Kind == "Secret" || o.Kind == "ConfigMap") {
		if sealed, _, _ := unstructured.NestedBool(live.Object, "immutable"); sealed {
			fields = append(slices.Clone(fields), "immutable", "data", "binaryData", "stringData")
		}
	}
	within := func(list []string) bool {
		return slices.ContainsFunc(list, func(field string) bool { return isWithin(path, field) })
	}
	return within(fields) && !within(known.except) ||
		// A change of a whole map changes what is in it.
		slices.ContainsFunc(fields, func(field string) bool { return isWithin(field, path) })
}

// isWithin says whether path is field, or below it.
func isWithin(path, field string) bool {
	rest, ok := strings.CutPrefix(path, field)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// immutable knows the API server's ways of saying that a field may not
// change; there is no status reason for it.
var immutable = regexp.MustCompile(`(?i)immutable|updates to \w+ spec for fields other than|may not change|updates to \w+ are forbidden|cannot (be )?chang|is forbidden.*updat|can not be decreased|field can not be less than`)

// mend is what to do about an object that the API server does not take.
const mend = "mend the template, or the values that lead to it"

// refused makes problems of the API server's refusal of a dry-run: what is
// invalid, and apart from that what cannot change.
func (it *item) refused(err error, redactor *diff.Redactor) {
	invalid := Problem{Kind: ProblemInvalid, Object: it.object, Message: hide(redactor, it.object, err.Error()), Hint: mend}
	frozen := Problem{Kind: ProblemImmutable, Object: it.object, Message: invalid.Message}
	var status apierrors.APIStatus
	var causes []metav1.StatusCause
	if errors.As(err, &status) && status.Status().Details != nil {
		causes = status.Status().Details.Causes
	}
	for _, c := range causes {
		field := strings.TrimPrefix(c.Field, ".")
		if it.live != nil && immutable.MatchString(c.Message) {
			frozen.Fields = appendNew(frozen.Fields, field)
		} else {
			invalid.Fields = appendNew(invalid.Fields, field)
		}
	}
	slices.Sort(frozen.Fields)
	slices.Sort(invalid.Fields)
	if len(frozen.Fields) > 0 || len(causes) == 0 && it.live != nil && immutable.MatchString(err.Error()) {
		it.problems = append(it.problems, frozen)
		if len(invalid.Fields) == 0 {
			return
		}
	}
	it.problems = append(it.problems, invalid)
}

// markImmutable sets Immutable on the fields of the item's change that the API
// server does not let change: those that are known, those that it has
// reported, and, if it named none, none. It answers their paths.
func (it *item) markImmutable(reported []string) []string {
	var paths []string
	each := func(is func(path string) bool) {
		for i := range it.change.Fields {
			f := &it.change.Fields[i]
			if f.Cause != diff.Default && !f.Immutable && is(f.Path) {
				f.Immutable = true
				paths = append(paths, f.Path)
			}
		}
	}
	each(func(path string) bool { return isFrozen(it.live, it.object, path) })
	for _, r := range reported {
		// The API server counts list items, diff names them.
		r = withoutItems(r)
		if slices.ContainsFunc(paths, func(p string) bool { p = withoutItems(p); return isWithin(p, r) || isWithin(r, p) }) {
			continue // said already, and closer
		}
		each(func(path string) bool { path = withoutItems(path); return isWithin(path, r) || isWithin(r, path) })
	}
	slices.Sort(paths)
	return paths
}

var inBrackets = regexp.MustCompile(`\[[^\]]*\]`)

func withoutItems(path string) string { return inBrackets.ReplaceAllString(path, "") }
