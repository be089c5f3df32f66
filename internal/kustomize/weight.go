package kustomize

// Limits are those of the same names in render.Limits. All must be set.
type Limits struct {
	// Depth is how many remote references there may be.
	Depth int
	// The others bound what one build takes in, what is reached along several
	// ways as often: the number of files, the bytes of their texts, the memory
	// that kustomize takes for them, and the steps that it goes.
	Entries                         int
	ResultBytes, MemoryBytes, Steps int64
}

// What kustomize was measured to take: memory for each node of YAML, and steps
// for each pair of objects, which it compares with one another.
const (
	bytesPerNode = 512
	stepsPerPair = 10
)

// weight is what a build takes in.
type weight struct {
	files          int
	bytes          int64
	nodes, squares int64
	objects        int64
}

// add gives the sum of two weights, or says which limit it passes.
func (l Limits) add(a, b weight, subject string) (weight, error) {
	sum := weight{a.files + b.files, a.bytes + b.bytes, a.nodes + b.nodes, a.squares + b.squares, a.objects + b.objects}
	for _, bound := range []struct {
		limit     string
		most, got int64
	}{
		{"Entries", int64(l.Entries), int64(sum.files)},
		{"ResultBytes", l.ResultBytes, sum.bytes},
		{"MemoryBytes", l.MemoryBytes, sum.nodes * bytesPerNode},
		{"Steps", l.Steps, sum.squares + stepsPerPair*sum.objects*sum.objects},
	} {
		if bound.got > bound.most {
			return sum, &LimitError{bound.limit, bound.most, subject}
		}
	}
	return sum, nil
}
