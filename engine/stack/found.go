package stack

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/engine"
)

// found are the releases of the clusters of a stack, as their labels say.
type found map[*engine.Engine]map[engine.Key]engine.Revision

// narrowWarning is a warning about a cluster whose releases cannot be listed in all
// namespaces.
const narrowWarning = "the releases of a cluster cannot be listed in all namespaces (forbidden): those that left the stack, or need a release of it, are found in the namespaces of its members only"

// find lists the releases of each cluster, or those of the members' namespaces, with
// a warning, where the credentials do not permit to list all.
func (s *Stack) find(ctx context.Context) (all found, warnings []string, err error) {
	all = found{}
	for _, e := range s.engines {
		all[e] = map[engine.Key]engine.Revision{}
		list, err := e.List(ctx, engine.ListOptions{})
		if errors.Is(err, engine.ErrForbidden) {
			warnings = []string{narrowWarning}
			list, err = s.listNamespaces(ctx, e)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, r := range list {
			if r.Status != engine.StatusUninstalled {
				all[e][r.Key] = r
			}
		}
	}
	return all, warnings, nil
}

func (s *Stack) listNamespaces(ctx context.Context, e *engine.Engine) ([]engine.Revision, error) {
	var out []engine.Revision
	seen := map[string]bool{}
	for _, m := range s.members {
		if m.engine != e || seen[m.key().Namespace] {
			continue
		}
		seen[m.key().Namespace] = true
		list, err := e.List(ctx, engine.ListOptions{Namespace: m.key().Namespace})
		if err != nil {
			return nil, err
		}
		out = append(out, list...)
	}
	return out, nil
}

// left are the releases that belong to the stack and are no members any more. A
// release whose key a member has on any cluster is not among them: two engines may
// be of one cluster.
func (s *Stack) left(all found) []leftRelease {
	var out []leftRelease
	seen := map[engine.Key]bool{}
	for _, m := range s.members {
		seen[m.key()] = true
	}
	for _, e := range s.engines {
		for k, r := range all[e] {
			if r.Labels[LabelStack] == s.name && !seen[k] {
				seen[k] = true
				out = append(out, leftRelease{r, e})
			}
		}
	}
	slices.SortFunc(out, func(a, b leftRelease) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	return out
}

type leftRelease struct {
	engine.Revision
	engine *engine.Engine
}

// dependants are the releases of a cluster that need one, apart from those that
// covered reports.
func (all found) dependants(e *engine.Engine, k engine.Key, covered func(engine.Key) bool) []engine.Key {
	var out []engine.Key
	for other, r := range all[e] {
		if !covered(other) && slices.Contains(needsOf(r.Labels), k) {
			out = append(out, other)
		}
	}
	slices.SortFunc(out, func(a, b engine.Key) int { return strings.Compare(a.String(), b.String()) })
	return out
}
