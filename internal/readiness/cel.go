package readiness

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// maxRuleCost bounds one evaluation, in cel-go's units: far more than a rule
// about a status needs, but a few milliseconds at most.
const maxRuleCost = 100_000

// RuleExpressions is a readiness rule in CEL, the language of Kubernetes' own
// validation rules. The variable object is the full object.
type RuleExpressions struct {
	// Ready is true when the object is ready, as in
	//	object.status.phase == "Running" && object.status.replicas >= object.spec.replicas
	// A field that does not exist yet makes it not ready, not an error.
	Ready string

	// Failed is true when it will not become ready. Empty: never.
	Failed string

	// Message is a human-readable text. Empty: none.
	Message string
}

// CompileRule compiles CEL expressions to a rule. The error names the expression
// and the position in it.
func CompileRule(x RuleExpressions) (Rule, error) {
	if x.Ready == "" {
		return nil, errors.New("readiness: a rule requires the expression Ready")
	}
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.OptionalTypes(), ext.Strings(), ext.Lists())
	if err != nil {
		return nil, fmt.Errorf("readiness: preparing CEL: %w", err)
	}
	ready, err := compile(env, "Ready", x.Ready)
	if err != nil {
		return nil, err
	}
	failed, err := compile(env, "Failed", x.Failed)
	if err != nil {
		return nil, err
	}
	message, err := compile(env, "Message", x.Message)
	if err != nil {
		return nil, err
	}
	return func(obj *unstructured.Unstructured) (Status, error) {
		var st Status
		if s, err := evaluate[string](message, obj); err == nil {
			st.Message = s
		}
		// Failed may refer to a field that only failed objects have.
		if yes, err := evaluate[bool](failed, obj); err == nil && yes {
			return st.failed("RuleFailed", st.Message), nil
		}
		yes, err := evaluate[bool](ready, obj)
		if err != nil {
			return Status{}, err
		}
		if yes {
			return st.ready("RuleReady", st.Message), nil
		}
		return st.progressing("RuleNotReady", "%s", st.Message), nil
	}, nil
}

func compile(env *cel.Env, name, expression string) (cel.Program, error) {
	if expression == "" {
		return nil, nil
	}
	ast, issues := env.Compile(expression)
	if issues != nil && issues.Err() != nil {
		return nil, fmt.Errorf("readiness: rule expression %s: %w", name, issues.Err())
	}
	program, err := env.Program(ast, cel.CostLimit(maxRuleCost))
	if err != nil {
		return nil, fmt.Errorf("readiness: rule expression %s: %w", name, err)
	}
	return program, nil
}

// evaluate runs a program; a nil one returns the zero value.
func evaluate[T any](program cel.Program, obj *unstructured.Unstructured) (T, error) {
	var zero T
	if program == nil {
		return zero, nil
	}
	out, _, err := program.Eval(map[string]any{"object": obj.Object})
	if err != nil {
		return zero, err
	}
	v, ok := out.Value().(T)
	if !ok {
		return zero, fmt.Errorf("the expression returns %s, not %T", out.Type().TypeName(), zero)
	}
	return v, nil
}
