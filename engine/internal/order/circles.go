package order

import "github.com/fairlead-dev/fairlead/internal/graph"

// OpenCircles finds nodes that need each other in a circle, and removes an edge
// of each circle from needs, by node: then none is left. Every node of a circle
// needs the next, the last one the first; the report is the same for the same
// needs.
func OpenCircles(n int, needs map[int][]int) [][]int {
	nodes := make([]graph.Node, n)
	for i := range nodes {
		nodes[i].Needs = needs[i]
	}
	acyclic, circles := graph.BreakCycles(nodes)
	for i := range needs {
		needs[i] = acyclic[i].Needs
	}
	return circles
}
