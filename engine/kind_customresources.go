package engine

import (
	"cmp"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/internal/definition"
)

// maxReported bounds how many fields of one object are named.
const maxReported = 10

// checkDefined validates a custom resource by the schema that the release itself
// brings or changes, since the API server cannot judge it before.
func (j *judge) checkDefined(in intended, f prediction) []Problem {
	if crd := j.definitionOf(in, f.pending); crd != nil {
		return definedProblems(in, f.body, crd)
	}
	return nil
}

// definitionOf is the definition of a new custom resource, if the release brings
// or changes it, or the plan assumes it; nil otherwise. unserved: the API server does not serve the kind
// after all.
func (j *judge) definitionOf(in intended, unserved bool) *unstructured.Unstructured {
	if in.live != nil || !unserved && !in.pending && !j.shifting[in.groupKind()] {
		return nil // of a live one, the rules of definitions say what it would lose
	}
	for _, o := range j.objects {
		if o.isDefinition() && o.desired != nil {
			if _, ok := kindsDefinedBy(o.desired)[in.groupKind()]; ok {
				return o.desired
			}
		}
	}
	return j.asking.assume.definitionOf(in.groupKind())
}

func definedProblems(in intended, body, crd *unstructured.Unstructured) []Problem {
	faults, err := definition.Validate(crd, in.id.Version, body.Object)
	if err != nil || len(faults) == 0 {
		return nil // what is wrong with a definition is said of the definition
	}
	var texts, fields []string
	for _, fault := range faults[:min(len(faults), maxReported)] {
		texts, fields = append(texts, fault.Message), append(fields, fault.Field)
	}
	if more := len(faults) - maxReported; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	text := "by the schema of its definition: " + strings.Join(texts, "; ")
	return []Problem{newProblem(ProblemInvalid, in.id, text, cmp.Or(refusalHint(text), fixTemplate), fields...)}
}
