package stack

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/internal/clean"
)

// LabelStack is the label of revisions whose value is the stack that their release
// belongs to.
const LabelStack = "fairlead.dev/stack"

// needsDomain ends the prefix of the labels that record what a release needs:
// NAMESPACE.needs.fairlead.dev/NAME, with the stack as value.
const needsDomain = ".needs.fairlead.dev"

// needLabel is the label that says that a release needs the one of the key. One
// that is on another cluster is not recorded.
func needLabel(k engine.Key) string { return k.Namespace + needsDomain + "/" + k.Name }

// neededBy is the release that a label names, if it is one of a need.
func neededBy(label string) (engine.Key, bool) {
	prefix, name, _ := strings.Cut(label, "/")
	namespace, ok := strings.CutSuffix(prefix, needsDomain)
	return engine.Key{Namespace: namespace, Name: name}, ok && namespace != "" && name != ""
}

// reserved is an error if labels of a call are those by which a stack is known.
func reserved(labels map[string]string) error {
	for label := range labels {
		if _, need := neededBy(label); need || label == LabelStack || label == LabelPlan {
			return fmt.Errorf("%w: ApplyOptions.Labels has %q, which the stack sets", engine.ErrInvalidOptions, clean.Line(label))
		}
	}
	return nil
}

// labelsOf are those that a member's release gets: its own, the stack, its needs,
// and without those that it has no more.
func (s *Stack) labelsOf(m *member, noLonger []engine.Key) map[string]string {
	out := map[string]string{}
	for _, k := range noLonger {
		out[needLabel(k)] = "null"
	}
	maps.Copy(out, m.Release.Labels)
	out[LabelStack] = s.name
	for _, need := range m.needs {
		if n := s.byName[need]; n.engine == m.engine {
			out[needLabel(n.key())] = s.name
		}
	}
	return out
}

// noLongerNeeds are the needs that the newest revision of a member records, and
// that it does not have any more.
func (s *Stack) noLongerNeeds(m *member, have map[string]string) []engine.Key {
	return slices.DeleteFunc(needsOf(have), func(k engine.Key) bool {
		return slices.ContainsFunc(m.needs, func(n string) bool { return s.byName[n].engine == m.engine && s.byName[n].key() == k })
	})
}

// needsOf are the releases that the labels of a revision say it needs.
func needsOf(labels map[string]string) []engine.Key {
	var out []engine.Key
	for label := range labels {
		if k, ok := neededBy(label); ok {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b engine.Key) int { return strings.Compare(a.String(), b.String()) })
	return out
}
