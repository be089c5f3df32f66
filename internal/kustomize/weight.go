package kustomize

import (
	"fmt"

	"sigs.k8s.io/kustomize/api/types"
)

// Limits are those of the same names in render.Limits. All must be set.
type Limits struct {
	// Depth is how many remote references there may be.
	Depth int
	// DocumentDepth is how deep a document may nest, with its aliases expanded.
	DocumentDepth int
	// The others bound what one build reads, where a file that is reached in
	// several ways counts as often: the number of files, the bytes of their text,
	// the memory that kustomize takes for them, and the steps that it takes.
	Entries                         int
	ResultBytes, MemoryBytes, Steps int64
}

// What kustomize was measured to take: memory for each node of YAML; and steps,
// of 20 ns, for each pair of objects, which it compares with one another, and for
// each node of each object that an entry of a kustomization visits.
const (
	bytesPerNode   = 512
	stepsPerPair   = 10
	stepsPerVisit  = 40 // by an image, a label, an annotation, a patch or a replacement
	stepsPerLookup = 2  // by a replica count, a name, or a field of a configuration
	stepsPerItem   = 40 // of a patch, for each item of the list that it is merged with
	// defaultFields is how many fields kustomize's own configuration has for each
	// label; those of further configurations are visited besides.
	defaultFields = 20
	// deepSteps divides the nodes of a document times the square of its depth.
	deepSteps = 32
)

// weight is what a build reads and does.
type weight struct {
	files          int
	bytes          int64
	nodes, squares int64
	objects        int64
	items, longest int64 // of lists: of all, and of the longest one
	deep           int64 // steps for depth
	visits         int64 // steps for entries that visit objects
}

// entries are what a kustomization does to each object that it has.
type entries struct {
	visiting, looking int64
	fields            int64 // of configurations
	patterns          int64 // the size of what each object is compared with
	items             int64 // of lists in patches
	kinds             int64 // by which objects are sorted
}

func (e entries) plus(other entries) entries {
	return entries{
		plus(e.visiting, other.visiting), plus(e.looking, other.looking), plus(e.fields, other.fields),
		plus(e.patterns, other.patterns), plus(e.items, other.items), plus(e.kinds, other.kinds),
	}
}

// over returns what the entries cost for objects of that weight.
func (e entries) over(to weight) weight {
	visiting := times(e.visiting, 1+e.fields/defaultFields)
	each := plus(times(visiting, stepsPerVisit), times(plus(e.looking, e.fields), stepsPerLookup))
	visits := times(each, to.nodes)
	visits = plus(visits, times(plus(times(e.patterns, stepsPerInstruction), times(e.kinds, stepsPerVisit)), to.objects))
	return weight{visits: plus(visits, times(times(e.items, to.longest), stepsPerItem))}
}

// entriesOf counts the entries of a kustomization that are in its own file.
func entriesOf(k *types.Kustomization) entries {
	//lint:ignore SA1019 kustomize reads the old fields too
	e := entries{looking: int64(1 + len(k.Replicas) + len(k.Vars))}
	//lint:ignore SA1019 as above
	e.visiting = int64(len(k.Images) + len(k.ImageTags) + len(k.CommonLabels) + len(k.CommonAnnotations) + len(k.Patches) + len(k.PatchesJson6902))
	if k.SortOptions != nil && k.SortOptions.LegacySortOptions != nil {
		e.kinds = int64(len(k.SortOptions.LegacySortOptions.OrderFirst) + len(k.SortOptions.LegacySortOptions.OrderLast))
	}
	for _, l := range k.Labels {
		e.visiting += int64(len(l.Pairs) * (1 + len(l.FieldSpecs)))
	}
	for _, r := range k.Replacements {
		for _, target := range r.Targets {
			e.visiting += int64(1 + len(target.FieldPaths) + len(target.Reject))
		}
	}
	return e
}

// added is what labels and annotations add to each object, in up to four places.
func added(k *types.Kustomization) weight {
	var w weight
	//lint:ignore SA1019 kustomize reads the old fields too
	all := []map[string]string{k.CommonLabels, k.CommonAnnotations}
	for _, l := range k.Labels {
		all = append(all, l.Pairs)
	}
	for _, pairs := range all {
		for key, value := range pairs {
			w.nodes += 4 * 2
			w.bytes += 4 * int64(len(key)+len(value))
		}
	}
	return w
}

// times is the weight, with its nodes and bytes, for each of n objects.
func (w weight) times(n int64) weight {
	return weight{nodes: times(w.nodes, n), bytes: times(w.bytes, n)}
}

const endless = 1 << 60

// plus and times saturate, for numbers that are not negative.
func plus(a, b int64) int64 { return min(min(a, endless)+min(b, endless), endless) }

func times(a, b int64) int64 {
	if a > 0 && b > endless/a {
		return endless
	}
	return a * b
}

// add returns the sum of two weights, or a *LimitError if it exceeds a limit.
func (l Limits) add(a, b weight, subject string) (weight, error) {
	sum := weight{
		a.files + b.files, plus(a.bytes, b.bytes), plus(a.nodes, b.nodes), plus(a.squares, b.squares),
		plus(a.objects, b.objects), plus(a.items, b.items), max(a.longest, b.longest), plus(a.deep, b.deep), plus(a.visits, b.visits),
	}
	pairs := times(stepsPerPair, times(sum.objects, sum.objects))
	for _, bound := range []struct {
		limit     string
		most, got int64
	}{
		{"Entries", int64(l.Entries), int64(sum.files)},
		{"ResultBytes", l.ResultBytes, sum.bytes},
		{"MemoryBytes", l.MemoryBytes, times(sum.nodes, bytesPerNode)},
		{"Steps", l.Steps, plus(plus(sum.squares, pairs), plus(sum.deep, sum.visits))},
	} {
		if bound.got > bound.most {
			return sum, &LimitError{bound.limit, bound.most, subject}
		}
	}
	return sum, nil
}

// maxName is longer than the names of objects and images can be.
const maxName = 1024

// names refuses what would be written into every object and is no name.
func (v *visitor) names(k *types.Kustomization) {
	values := []string{k.NamePrefix, k.NameSuffix, k.Namespace}
	//lint:ignore SA1019 kustomize reads the old fields too
	for _, images := range [][]types.Image{k.Images, k.ImageTags} {
		for _, i := range images {
			values = append(values, i.NewName, i.NewTag, i.TagSuffix, i.Digest)
		}
	}
	for _, value := range values {
		v.length(value)
	}
}

func (v *visitor) length(name string) {
	if len(name) > maxName && v.err == nil {
		v.err = &Error{File: v.at.file, Hint: "shorten it", Err: fmt.Errorf("a name of %d bytes is too long", len(name))}
	}
}
