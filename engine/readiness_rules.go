package engine

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// ReadyRule decides whether objects of one kind are ready, by CEL expressions
// or by a function. In both cases an object that is being deleted, or whose
// status.observedGeneration is behind, is not ready, and the rule is not
// evaluated.
type ReadyRule struct {
	// Group and Kind of the objects, in any version. The empty Group is the
	// core group.
	Group, Kind string

	// Ready is a CEL expression, the language of Kubernetes' own validation
	// rules, over the variable object:
	//	object.status.phase == "Running" && object.status.nodes >= object.spec.nodes
	// A field that does not exist yet makes it not ready, not an error.
	Ready string
	// Failed is true if the object has failed for good. Empty: never.
	Failed string
	// Message returns a text for people. Empty: none.
	Message string

	// Judge replaces the expressions. It must be pure, fast, and safe for
	// concurrent use, and must not change obj. If it returns an error, the
	// object is not ready, and the wait reports the error and continues.
	Judge func(obj *unstructured.Unstructured) (Verdict, error)
}

// Verdict is the result of a [ReadyRule].
type Verdict struct {
	State   State  // StateReady, StateProgressing, StateFailed or StateUnknown
	Reason  string // one CamelCase word
	Message string // for people

	// Counts of the object's parts (pods, completions), for progress; 0 for
	// kinds without parts.
	Ready, Updated, Desired int
}

// compileRules returns the rules by kind; of two for one kind the later holds.
// The error names the rule that is wrong, and where in it.
func compileRules(rules []ReadyRule) (map[schema.GroupKind]readiness.Rule, error) {
	out := map[schema.GroupKind]readiness.Rule{}
	for i, r := range rules {
		gk := schema.GroupKind{Group: r.Group, Kind: r.Kind}
		rule, err := r.compile()
		if err != nil {
			return nil, fmt.Errorf("%w: Options.Rules[%d] for kind %q: %w", ErrInvalidOptions, i, gk, err)
		}
		out[gk] = rule
	}
	return out, nil
}

func (r ReadyRule) compile() (readiness.Rule, error) {
	expressions := readiness.RuleExpressions{Ready: r.Ready, Failed: r.Failed, Message: r.Message}
	switch {
	case r.Kind == "":
		return nil, errors.New("set Kind")
	case r.Judge == nil && r.Ready == "":
		return nil, errors.New("set either Ready or Judge")
	case r.Judge == nil:
		return readiness.CompileRule(expressions)
	case expressions != (readiness.RuleExpressions{}):
		return nil, errors.New("both expressions and Judge are set: leave one of them out")
	}
	return func(obj *unstructured.Unstructured) (readiness.Status, error) {
		v, err := r.Judge(obj)
		if err != nil {
			return readiness.Status{}, err
		}
		switch v.State {
		case StateReady, StateProgressing, StateFailed, StateUnknown:
		default:
			return readiness.Status{}, fmt.Errorf("the rule returned State %q; accepted are %q, %q, %q and %q", v.State, StateReady, StateProgressing, StateFailed, StateUnknown)
		}
		return readiness.Status{
			State: readiness.State(v.State), Reason: v.Reason, Message: v.Message,
			Ready: v.Ready, Updated: v.Updated, Desired: v.Desired,
		}, nil
	}, nil
}
