package engine

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// fixTemplate is what to do about an object that the API server refuses.
const fixTemplate = "fix the template, or the values that it uses"

// refusal is what the API server says against a dry-run.
type refusal struct {
	problems []Problem // ProblemInvalid or ProblemTerminating
	// immutable says which fields cannot change, or, without fields, that
	// something cannot; nil: nothing of the kind. Whether that is a problem
	// depends on the replace policy.
	immutable *Problem
}

// refusalOf sorts the API server's reasons: what is invalid, and, of an object
// that exists, what cannot change.
func refusalOf(o diff.Object, exists bool, err error, redactor *diff.Redactor) refusal {
	invalid := newProblem(ProblemInvalid, o, hide(redactor, o, err.Error()), fixTemplate)
	immutable := newProblem(ProblemImmutable, o, invalid.Message, "")
	var status apierrors.APIStatus
	var causes []metav1.StatusCause
	if errors.As(err, &status) && status.Status().Details != nil {
		causes = status.Status().Details.Causes
	}
	for _, c := range causes {
		field := strings.TrimPrefix(c.Field, ".")
		if exists && saysImmutable.MatchString(c.Message) {
			immutable.Fields = appendNew(immutable.Fields, field)
		} else {
			invalid.Fields = appendNew(invalid.Fields, field)
		}
	}
	slices.Sort(immutable.Fields)
	slices.Sort(invalid.Fields)
	var out refusal
	if len(immutable.Fields) > 0 || len(causes) == 0 && exists && saysImmutable.MatchString(err.Error()) {
		out.immutable = &immutable
		if len(invalid.Fields) == 0 {
			return out
		}
	}
	out.problems = []Problem{invalid}
	return out
}

// saysImmutable matches the API server's ways of saying that a field may not
// change; there is no status reason for it.
var saysImmutable = regexp.MustCompile(`(?i)immutable|may not be changed|may not be set to 'None'|updates to \w+ spec for fields other than|may not change|updates to \w+ are forbidden|cannot (be )?chang|is forbidden.*updat|can not be decreased|field can not be less than`)
