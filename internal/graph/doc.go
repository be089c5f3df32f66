// Package graph orders and runs steps that depend on each other. It knows
// nothing of Kubernetes: nodes and steps are identified by their index.
//
//	nodes, cycles := graph.BreakCycles(nodes)         // report the cycles
//	result := graph.NewSchedule(nodes, graph.Forward, actions).Run(ctx)
//	for i := range nodes {
//		if reason, skipped := result.Skipped(i); skipped { … }
//	}
//
// [Run] executes any steps concurrently, each one as soon as its dependencies
// allow. A [Schedule] is made of such steps: it orders nodes by wave, by stage
// within a wave, and by their dependencies, in either direction, so that what
// is applied in one order is deleted in the reverse one.
//
// Results are deterministic: cycles, failures and the reasons of skipped nodes
// come in the order of the nodes, however the steps were interleaved. The
// package limits neither concurrency nor time; both are left to the functions
// that it calls.
package graph
