package engine

import (
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
	if in.live != nil || !f.pending && !in.pending && !j.shifting[in.groupKind()] {
		return nil // of a live one, the rules of definitions say what it would lose
	}
	for _, o := range j.objects {
		if !o.isDefinition() || o.desired == nil {
			continue
		}
		if _, ok := kindsDefinedBy(o.desired)[in.groupKind()]; !ok {
			continue
		}
		return definedProblems(in, f.body, o.desired)
	}
	return nil
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
	return []Problem{newProblem(ProblemInvalid, in.id, "by the schema of its definition: "+strings.Join(texts, "; "), fixTemplate, fields...)}
}
