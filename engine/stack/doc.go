// Package stack deploys many releases as one: definitions, an operator, a database,
// a backend, a frontend, on one cluster or several, where some need what others
// bring.
//
//	shop, err := stack.New("shop", eng,
//		stack.Member{Release: database},
//		stack.Member{Release: backend, Inputs: stack.Inputs{
//			"database.host": stack.Field("database", service, "spec.clusterIP"),
//		}},
//	)
//	plan, err := shop.Plan(ctx, stack.PlanOptions{})
//	err = plan.WriteText(os.Stdout, diff.TextOptions{})
//	result, err := shop.Apply(ctx, plan, stack.ApplyOptions{})
//
// # Vocabulary
//
// A Member is a release in a stack, by its name. It needs the members that Needs
// names, and those that its Inputs come from. An Output is a value that one member
// has and another one uses: a field of a live object, notes or a value of a
// release, or what a function makes of other outputs. What is unknown is an output
// whose value is not there before something else is applied.
//
// # Guarantees
//
// Planning never writes. A field that depends on an unknown output is shown as
// (known after apply), and no other one is. Each member's plan is an engine.Plan.
//
// Apply makes a member ready before what needs it begins. Members whose plan is
// complete are applied exactly as planned. The others are planned again at their
// turn, when what was unknown is known, and refused with a BeyondError if anything
// differs beyond what was shown as unknown. Plan.Sign signs all of that as a whole.
//
// Which releases belong to a stack is in the labels of their revisions, and nowhere
// else. A call that is killed leaves each release as the engine leaves it: the next
// Apply of the same plan goes on.
//
// # Non-goals
//
// No store and no lock over all members: each release has its own. Two programs
// that apply a stack at once meet at its releases, as two deploys do.
package stack
