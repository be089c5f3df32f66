package engine

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/internal/readiness"
)

// ReadyRule judges whether objects of one kind are ready, in CEL or as a
// function. In both cases an object that is being deleted, or whose
// status.observedGeneration is behind, is not ready without being asked about.
type ReadyRule struct {
	// Group and Kind that it judges, of whichever version. The empty Group is
	// the core group.
	Group, Kind string

	// Ready is a CEL expression, the language of Kubernetes' own validation
	// rules, over the variable object:
	//	object.status.phase == "Running" && object.status.nodes >= object.spec.nodes
	// A field that does not exist yet makes it not ready, not an error.
	Ready string
	// Failed is true when it never will be. Empty: nothing says so.
	Failed string
	// Message is a text for people. Empty: none.
	Message string

	// Judge stands in place of the expressions. It must be pure, quick, and
	// safe for concurrent use, and must not change obj. An error means that the
	// object cannot be judged now; the wait shows it and goes on.
	Judge func(obj *unstructured.Unstructured) (Verdict, error)
}

// Verdict is what a [ReadyRule] finds.
type Verdict struct {
	State   State  // StateReady, StateProgressing, StateFailed or StateUnknown
	Reason  string // one CamelCase word
	Message string // for people

	// Counts of what the object is made of, for progress; 0 if nothing is.
	Ready, Updated, Desired int
}

// compileRules makes rules of the wait of rules of the caller. The error says
// which rule is wrong, and where in it.
func compileRules(rules []ReadyRule) (map[schema.GroupKind]readiness.Rule, error) {
	out := map[schema.GroupKind]readiness.Rule{}
	for i, r := range rules {
		gk := schema.GroupKind{Group: r.Group, Kind: r.Kind}
		rule, err := r.compile()
		if err != nil {
			return nil, fmt.Errorf("Options.Rules[%d] for kind %q: %w", i, gk, err)
		}
		out[gk] = rule
	}
	return out, nil
}

func (r ReadyRule) compile() (readiness.Rule, error) {
	expressions := readiness.RuleExpressions{Ready: r.Ready, Failed: r.Failed, Message: r.Message}
	switch {
	case r.Kind == "":
		return nil, errors.New("it names no Kind")
	case r.Judge == nil && r.Ready == "":
		return nil, errors.New("it has neither the expression Ready nor a function Judge")
	case r.Judge == nil:
		return readiness.CompileRule(expressions)
	case expressions != (readiness.RuleExpressions{}):
		return nil, errors.New("it has both expressions and a function Judge: leave one of them out")
	}
	return func(obj *unstructured.Unstructured) (readiness.Status, error) {
		v, err := r.Judge(obj)
		if err != nil {
			return readiness.Status{}, err
		}
		switch v.State {
		case StateReady, StateProgressing, StateFailed, StateUnknown:
		default:
			return readiness.Status{}, fmt.Errorf("the rule answered State %q, which is not a verdict", v.State)
		}
		return readiness.Status{
			State: readiness.State(v.State), Reason: v.Reason, Message: v.Message,
			Ready: v.Ready, Updated: v.Updated, Desired: v.Desired,
		}, nil
	}, nil
}
