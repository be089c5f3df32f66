package engine

import (
	"errors"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var conflictWith = regexp.MustCompile(`^conflict with "((?:[^"\\]|\\.)*)"`)

// conflictManagers reads from a refused server-side apply who owns what.
func conflictManagers(err error) (managers, fields []string) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil, nil
	}
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		fields = append(fields, strings.TrimPrefix(c.Field, "."))
		if m := conflictWith.FindStringSubmatch(c.Message); m != nil {
			managers = appendNew(managers, m[1])
		}
	}
	return managers, fields
}

var rbacRefusal = regexp.MustCompile(`User ".*" cannot `)

// lacksPermission reports whether RBAC refused the request, rather than quota or
// admission, which have the same status reason.
func lacksPermission(err error) bool { return rbacRefusal.MatchString(err.Error()) }

// admissions are the ways in which admission webhooks and policies refuse an
// object, each with its name. A MutatingAdmissionPolicy calls itself a policy.
var admissions = []struct {
	kind string
	says *regexp.Regexp
}{
	{"admission webhook", regexp.MustCompile(`admission webhook "([^"]+)" denied the request`)},
	{"ValidatingAdmissionPolicy", regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)'`)},
	{"admission policy", regexp.MustCompile(`policy ['"]([^'"]+)['"](?: with binding '[^']*')? denied request`)},
}

// saysUncalled matches the refusal because of a webhook that does not respond.
var saysUncalled = regexp.MustCompile(`failed calling webhook "([^"]+)"`)

// refuserIn is the webhook or policy that refuses an object, with its kind, by
// the text of the refusal; empty if it is none.
func refuserIn(text string) string {
	for _, a := range admissions {
		if m := a.says.FindStringSubmatch(text); m != nil {
			return a.kind + " " + m[1]
		}
	}
	return ""
}

// isAdmission reports whether an admission webhook or policy refused the
// object, or a webhook could not be asked.
func isAdmission(err error) bool {
	return refuserIn(err.Error()) != "" || saysUncalled.MatchString(err.Error())
}

// saysQuota matches the refusals of the ResourceQuota admission plugin, which
// have the status reason of a missing permission.
var saysQuota = regexp.MustCompile(`(exceeded|failed|status unknown for) quota: `)

func isQuota(err error) bool {
	return apierrors.IsForbidden(err) && saysQuota.MatchString(err.Error())
}

// saysAdmission matches other refusals by admission with the status reason of a
// missing permission: pod security, and limits of a LimitRange.
var saysAdmission = regexp.MustCompile(`violates PodSecurity|(minimum|maximum) \S+ usage per |max limit to request ratio per `)

// isTerminating reports whether an object cannot be created because its
// namespace, or the CRD of its kind, is being deleted.
func isTerminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) ||
		apierrors.IsForbidden(err) && strings.Contains(err.Error(), "while custom resource definition is terminating")
}

// missingNamespace reports whether "not found" is about a namespace, rather than
// about a kind.
func missingNamespace(err error) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && status.Status().Details != nil && status.Status().Details.Kind == "namespaces"
}

// missingReference names what an object of a resource refers to, if "not found"
// is about that: the Role of a RoleBinding, of which the API server needs to
// know the rules. Otherwise it is empty.
func missingReference(err error, resource string) string {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || missingNamespace(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return ""
	}
	d := status.Status().Details
	if d.Kind == "" || d.Name == "" || d.Kind == resource {
		return ""
	}
	return d.Kind + " " + d.Name
}

// isUntyped reports whether an object does not fit its schema, which
// server-side apply returns as an internal error.
func isUntyped(err error) bool {
	return strings.Contains(err.Error(), "failed to create typed patch object") || strings.Contains(err.Error(), "failed to convert new object")
}

// duplicateNodePort matches the report about ports of a Service that share a
// node port: an internal error, of no type.
var duplicateNodePort = regexp.MustCompile(`duplicate nodePort: \{(\w+) (\d+)\}`)

// isOutdated reports whether server-side apply fails because an entry of
// managedFields is of an API version whose schema lacks what is applied.
func isOutdated(err error) bool {
	return err != nil && strings.Contains(err.Error(), "to last applied version")
}

// unstorable matches the report about an object that is stored in a version
// which its CustomResourceDefinition no longer has.
var unstorable = regexp.MustCompile(`request to convert CR from an invalid group/version: (\S+)`)
