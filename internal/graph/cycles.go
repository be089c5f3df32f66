package graph

import "slices"

// BreakCycles returns the nodes without the dependencies that close cycles, and
// the cycles, so that they can be reported. The nodes that are passed in are
// not changed.
//
// In a cycle each node needs the next one, and the last one needs the first.
// The first is the one with the lowest index, and cycles are sorted by their
// nodes, so that the same nodes always give the same result. Where cycles
// share nodes, as many are returned as it takes to break all of them.
func BreakCycles(nodes []Node) (acyclic []Node, cycles [][]int) {
	acyclic = slices.Clone(nodes)
	const (
		unvisited = iota
		onPath
		visited
	)
	state := make([]int, len(nodes))
	var path []int
	var visit func(int)
	visit = func(i int) {
		state[i] = onPath
		path = append(path, i)
		var kept []int
		for _, j := range nodes[i].Needs {
			if state[j] == onPath {
				cycles = append(cycles, fromLowest(path[slices.Index(path, j):]))
				continue
			}
			kept = append(kept, j)
			if state[j] == unvisited {
				visit(j)
			}
		}
		acyclic[i].Needs = kept
		path = path[:len(path)-1]
		state[i] = visited
	}
	for i := range nodes {
		if state[i] == unvisited {
			visit(i)
		}
	}
	slices.SortFunc(cycles, slices.Compare)
	return acyclic, slices.CompactFunc(cycles, slices.Equal)
}

// fromLowest returns the same cycle beginning with its lowest index.
func fromLowest(cycle []int) []int {
	first := slices.Index(cycle, slices.Min(cycle))
	return slices.Concat(cycle[first:], cycle[:first])
}
