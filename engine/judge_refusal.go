package engine

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// fixTemplate is what to do about an object that the API server refuses, and
// fixRevision if it comes from the history, which cannot change.
const (
	fixTemplate = "fix the template, or the values that it uses"
	fixRevision = "the API server does not accept what this revision holds: deploy a chart in which it is fixed"
)

// ofMode is a problem with a hint that fits what the plan does.
func (p Problem) ofMode(m mode) Problem {
	if p.Hint == fixTemplate && (m.restores() || m == rollingOut) {
		p.Hint = fixRevision
	}
	return p
}

// refusal is what the API server says against a dry-run.
type refusal struct {
	text     string    // of the refusal, readable
	problems []Problem // ProblemInvalid or ProblemTerminating
	// immutable says which fields cannot change, or, without fields, that
	// something cannot; nil: nothing of the kind. Whether that is a problem
	// depends on the replace policy.
	immutable *Problem
}

// refusalOf sorts the API server's reasons: what is invalid, and, of an object
// that exists, what cannot change.
func refusalOf(o diff.Object, exists bool, err error, redactor *diff.Redactor) refusal {
	text := hide(redactor, o, err.Error())
	invalid := newProblem(ProblemInvalid, o, text, cmp.Or(refusalHint(err.Error()), fixTemplate), fieldsIn(text)...)
	immutable := newProblem(ProblemImmutable, o, invalid.Message, "")
	var status apierrors.APIStatus
	var causes []metav1.StatusCause
	if errors.As(err, &status) && status.Status().Details != nil {
		causes = status.Status().Details.Causes
	}
	for _, c := range causes {
		field := strings.TrimPrefix(c.Field, ".")
		if field == "<nil>" {
			field = fieldOfSchema(c.Message)
		}
		if field == "" { // of a policy
			continue
		}
		field = cmp.Or(misnamed[field], field)
		if exists && saysImmutable.MatchString(c.Message) {
			immutable.Fields = appendNew(immutable.Fields, field)
		} else {
			invalid.Fields = appendNew(invalid.Fields, field)
		}
	}
	slices.Sort(immutable.Fields)
	slices.Sort(invalid.Fields)
	if message, found := duplicates(text); found {
		invalid.Message, invalid.Hint = message, fixDuplicates
		if other := refusalHint(err.Error()); other != "" {
			invalid.Hint += "; " + other
		}
	}
	out := refusal{text: text}
	if len(immutable.Fields) > 0 || len(causes) == 0 && exists && saysImmutable.MatchString(err.Error()) {
		out.immutable = &immutable
		if len(invalid.Fields) == 0 {
			return out
		}
	}
	out.problems = []Problem{invalid}
	return out
}

var validates = regexp.MustCompile(`"([^"]+)" must (?:not )?validate`)

// fieldOfSchema is the field of a custom resource that fails an anyOf, oneOf,
// allOf or not of its schema: only the message names it. Empty: none.
func fieldOfSchema(message string) string {
	if m := validates.FindStringSubmatch(message); m != nil {
		return m[1]
	}
	return ""
}

// withQuantities is a refusal that says which quantities are none: the API server
// does not.
func (r refusal) withQuantities(body *unstructured.Unstructured) refusal {
	for i, p := range r.problems {
		if !strings.Contains(p.Message, "quantities must match") {
			continue
		}
		var texts []string
		walkQuantities(body.Object, "", false, func(path, value string) {
			texts = append(texts, fmt.Sprintf("%s: %q is no quantity", path, value))
			p.Fields = append(p.Fields, path)
		})
		slices.Sort(texts)
		slices.Sort(p.Fields)
		if len(texts) > 0 {
			p.Message = strings.Join(texts, "; ")
			r.problems[i] = p
		}
	}
	return r
}

// withNodePort is a refusal that says which port has the node port of another.
func (r refusal) withNodePort(body *unstructured.Unstructured) refusal {
	for i, p := range r.problems {
		m := duplicateNodePort.FindStringSubmatch(p.Message)
		ports, _, _ := unstructured.NestedSlice(body.Object, "spec", "ports")
		at := len(ports) - 1
		for at >= 0 && !hasNodePort(ports[at], m) {
			at--
		}
		if at >= 0 {
			field := fmt.Sprintf("spec.ports[%d].nodePort", at)
			p.Message, p.Fields = fmt.Sprintf("%s: %s is the node port of two %s ports", field, m[2], m[1]), []string{field}
			r.problems[i] = p
		}
	}
	return r
}

// hasNodePort reports whether a port has the number that duplicateNodePort has
// found.
func hasNodePort(port any, found []string) bool {
	m, _ := port.(map[string]any)
	return found != nil && fmt.Sprint(m["nodePort"]) == found[2]
}

// holdsQuantities matches the names of fields whose values are quantities.
var holdsQuantities = regexp.MustCompile(`^(limits|requests|capacity|hard|overhead|min|max|default|defaultRequest|maxLimitRequestRatio|sizeLimit|divisor|averageValue)$`)

// walkQuantities calls each for values in fields of quantities that are none.
func walkQuantities(v any, path string, within bool, each func(path, value string)) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			walkQuantities(value, join(path, key), within || holdsQuantities.MatchString(key), each)
		}
	case []any:
		for i, value := range v {
			walkQuantities(value, fmt.Sprintf("%s[%d]", path, i), within, each)
		}
	case string:
		if _, err := resource.ParseQuantity(v); within && err != nil {
			each(path, v)
		}
	}
}

// saysImmutable matches the API server's ways of saying that a field may not
// change; there is no status reason for it.
var saysImmutable = regexp.MustCompile(`(?i)immutable|may not be (changed|updated|modified|added|removed)|may not be set to 'None'|may not (add|remove|change)|` +
	`updates to \w+ spec for fields other than|updates? (to \w+ )?(is|are) forbidden|is forbidden.*updat|once set|` +
	`cannot (be )?chang|can ?not be (modified|updated|unset|cleared|removed|decreased)|field can not be less than`)

// misnamed are fields under the names that the API server gives them when it
// refuses a change.
var misnamed = map[string]string{
	"spec.persistentvolumesource": "spec", // one of the many sources in it
	"nodeAffinity":                "spec.nodeAffinity",
	"spec.attachedRequired":       "spec.attachRequired",
}
