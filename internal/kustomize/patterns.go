package kustomize

import (
	"regexp/syntax"

	"sigs.k8s.io/kustomize/api/types"

	"github.com/fairlead-dev/fairlead/internal/pattern"
)

// plainPattern is the size of a pattern that is no more than a long name.
const plainPattern = 100

// stepsPerInstruction is what compiling a pattern takes, and matching it with a
// name.
const stepsPerInstruction = 10

// pattern weighs a regular expression that kustomize compiles. It returns its size
// beyond that of a name.
func (v *visitor) pattern(text string) int64 {
	if v.err != nil || text == "" {
		return 0
	}
	if v.length(text); v.err != nil {
		return 0
	}
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0 // kustomize says so
	}
	size := pattern.Size(re)
	v.add(weight{nodes: times(size, pattern.InstructionBytes) / bytesPerNode, visits: times(size, stepsPerInstruction)})
	return max(size-plainPattern, 0)
}

// selector weighs what objects are selected by. Each object is compared with it.
func (v *visitor) selector(s *types.Selector) {
	if s == nil {
		return
	}
	for _, text := range []string{s.Group, s.Version, s.Kind, s.Name, s.Namespace} {
		v.entries.patterns = plus(v.entries.patterns, v.pattern(text))
	}
	v.entries.patterns = plus(v.entries.patterns, int64(len(s.LabelSelector)+len(s.AnnotationSelector)))
}

// patterns weighs the regular expressions of a kustomization.
func (v *visitor) patterns(k *types.Kustomization) {
	//lint:ignore SA1019 kustomize reads the old fields too
	for _, images := range [][]types.Image{k.Images, k.ImageTags} {
		for i := range images { // compiled for each image of each object
			v.entries.visiting = plus(v.entries.visiting, v.pattern(images[i].Name))
		}
	}
	//lint:ignore SA1019 as above
	for _, patches := range [][]types.Patch{k.Patches, k.PatchesJson6902} {
		for i := range patches {
			v.selector(patches[i].Target)
		}
	}
	for i := range k.Replacements {
		for _, target := range k.Replacements[i].Targets {
			v.selector(target.Select)
			for _, reject := range target.Reject {
				v.selector(reject)
			}
		}
	}
}
