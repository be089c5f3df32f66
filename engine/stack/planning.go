package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// Plan computes what Apply would do, in all releases of the stack. It writes
// nothing and works with read-only permissions, as Engine.Plan does. What depends
// on something that is applied before is planned as unknown.
//
// An error means that there is no plan. It is a *MemberError for a member that
// cannot be planned; problems of a member are in its plan instead.
func (s *Stack) Plan(ctx context.Context, opts PlanOptions) (*Plan, error) {
	all, warnings, err := s.find(ctx)
	if err != nil {
		return nil, fmt.Errorf("plan stack %s: %w", s.name, err)
	}
	pl := &planner{Stack: s, opts: opts, all: all, members: map[string]*planned{}}
	if err := pl.planAll(ctx); err != nil {
		return nil, err
	}
	out := &Plan{Kind: PlanDeploy, Stack: s.name, Warnings: warnings}
	for _, m := range s.members {
		out.Members = append(out.Members, pl.members[m.Name].plan)
	}
	if err := out.oneRelease(); err != nil {
		return nil, err
	}
	if err := s.planLeft(ctx, out, all, opts); err != nil {
		return nil, err
	}
	return out, nil
}

// planner plans the members of a stack, each once those that it needs are planned.
type planner struct {
	*Stack
	opts PlanOptions
	all  found

	mu      sync.Mutex
	members map[string]*planned
	err     error
}

func (s *Stack) before() map[string][]string {
	out := map[string][]string{}
	for _, m := range s.members {
		out[m.Name] = m.needs
	}
	return out
}

func (pl *planner) planAll(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	walk(pl.Members(), pl.before(), pl.opts.Concurrency, func(name string) {
		pl.mu.Lock()
		stop := pl.err != nil
		before := maps.Clone(pl.members)
		pl.mu.Unlock()
		if stop {
			return
		}
		p, err := pl.plan(ctx, pl.byName[name], before)
		pl.mu.Lock()
		defer pl.mu.Unlock()
		if err != nil {
			if pl.err == nil {
				pl.err = &MemberError{Member: name, Op: "plan", Err: err}
				cancel()
			}
			return
		}
		pl.members[name] = p
	})
	return pl.err
}

func (pl *planner) plan(ctx context.Context, m *member, before map[string]*planned) (*planned, error) {
	have := pl.all[m.engine][m.key()].Labels
	if other := have[LabelStack]; other != "" && other != pl.name {
		return nil, fmt.Errorf("%w: %s belongs to %s", ErrOtherStack, m.key(), other)
	}
	in := newInputs()
	for _, path := range m.paths {
		r, err := m.Inputs[path].planned(ctx, before)
		if err != nil {
			return nil, err
		}
		in.add(path, m.Inputs[path], r)
	}
	p := &planned{member: m, release: m.Release, twin: &twin{source: m.Release.Source}}
	p.earlier = sync.OnceValues(func() ([]*unstructured.Unstructured, error) { return p.readEarlier(ctx) })
	p.plan = MemberPlan{Member: m.Name, Needs: m.needs, Unknown: in.unknown, inputs: &knownInputs{in.known}}
	p.plan.NoLongerNeeds = pl.noLongerNeeds(m, have)
	var err error
	if p.release, err = pl.release(m, p.plan.NoLongerNeeds, in); err != nil {
		return nil, err
	}
	if err := p.setValues(in); err != nil {
		return nil, err
	}
	release := p.release
	release.Source = p.twin
	assumed := pl.assumed(m, before)
	plan, err := m.engine.Plan(ctx, release, engine.PlanOptions{DryRun: pl.opts.DryRun, UnsafeDelete: pl.opts.UnsafeDelete, Assume: assumed})
	if err != nil {
		return nil, err
	}
	p.plan.Plan, p.plan.Assumed = plan, used(assumed, plan)
	if len(in.unknown) > 0 {
		if err := p.mark(ctx, in.examples); err != nil {
			return nil, err
		}
	}
	if !p.plan.Later() {
		return p, nil
	}
	if p.plan.InputsDigest, err = pl.digestInputs(m, plan.Nonce, p.twin, in.known); err != nil {
		return nil, err
	}
	p.plan.Plan, err = shownOnly(p.plan.Plan, in.examples)
	return p, err
}

// inputs are the values of a member's inputs, with examples for what is unknown.
type inputs struct {
	first, second map[string]any
	known         map[string]any // by path
	unknown       []UnknownInput
	examples      []string
	hide          []*unstructured.Unstructured
}

func newInputs() inputs {
	return inputs{first: map[string]any{}, second: map[string]any{}, known: map[string]any{}}
}

func (in *inputs) add(path string, o Output, r resolved) {
	names, _ := splitPath(path)
	in.hide = addObjects(in.hide, r.hide)
	if r.known {
		put(in.first, names, r.value)
		put(in.second, names, r.value)
		in.known[path] = r.value
		return
	}
	first, second := o.examples()
	put(in.first, names, first)
	put(in.second, names, second)
	in.unknown = append(in.unknown, UnknownInput{Path: path, Output: o.String()})
	for _, example := range []any{first, second} {
		if text, ok := example.(string); ok {
			in.examples = append(in.examples, text)
		}
	}
}

// release is that of a member with its labels, and its inputs over its values.
func (s *Stack) release(m *member, noLonger []engine.Key, in inputs) (engine.Release, error) {
	out := m.Release
	out.Labels = s.labelsOf(m, noLonger)
	out.Hide = slices.Concat(m.Release.Hide, in.hide)
	if len(in.first) == 0 {
		return out, nil
	}
	var err error
	out.Values, err = over(m.Release.Values, in.first)
	return out, err
}

// over is values with inputs over them.
func over(values render.Values, inputs map[string]any) (render.Values, error) {
	return render.MergeValues(render.FromValues(values), render.FromMap("outputs", inputs))
}

// setValues keeps the values with each of two examples for what is unknown.
func (p *planned) setValues(in inputs) error {
	p.first = p.release.Values.Map()
	if p.second = p.first; len(in.unknown) == 0 {
		return nil
	}
	p.twin.second = in.second
	v, err := over(p.Release.Values, in.second)
	p.second = v.Map()
	return err
}

// oneRelease fails if two members with engines of their own are one release of one
// cluster.
func (p *Plan) oneRelease() error {
	type place struct {
		cluster string
		key     engine.Key
	}
	have := map[place]string{}
	for _, m := range p.Members {
		at := place{m.Plan.Cluster, m.Plan.Key}
		if first, ok := have[at]; ok && at.cluster != "" {
			return &DuplicateError{First: first, Second: m.Member, Key: at.key}
		}
		have[at] = m.Member
	}
	return nil
}

// planLeft lists the releases that left the stack, and plans their end if asked.
func (s *Stack) planLeft(ctx context.Context, out *Plan, all found, opts PlanOptions) error {
	left := s.left(all)
	if !opts.Prune {
		for _, l := range left {
			out.Left = append(out.Left, l.Key)
		}
		return nil
	}
	for _, l := range uninstallOrder(left) {
		if by := all.dependants(l.engine, l.Key, s.covers(left)); len(by) > 0 && !opts.UnsafeNeeded {
			return &NeededError{Key: l.Key, By: by}
		}
		plan, err := l.engine.PlanUninstall(ctx, l.Key, engine.PlanOptions{UnsafeDelete: opts.UnsafeDelete})
		if errors.Is(err, engine.ErrReleaseNotFound) {
			continue
		}
		if err != nil {
			return &MemberError{Member: l.Key.String(), Op: "plan to prune", Err: err}
		}
		out.Pruned = append(out.Pruned, MemberPlan{Member: l.Key.String(), Plan: plan})
	}
	return nil
}

// planned reports whether a release is a member.
func (s *Stack) planned(k engine.Key) bool {
	return slices.ContainsFunc(s.members, func(m *member) bool { return m.key() == k })
}

// covers reports of a release whether it is a member, or one of those that leave
// the stack: what these need does not keep a release that left.
func (s *Stack) covers(leaves []leftRelease) func(engine.Key) bool {
	return func(k engine.Key) bool {
		return s.planned(k) || slices.ContainsFunc(leaves, func(l leftRelease) bool { return l.Key == k })
	}
}

// uninstallOrder puts what needs another before that, by the labels.
func uninstallOrder(left []leftRelease) []leftRelease {
	var out []leftRelease
	rest := slices.Clone(left)
	for len(rest) > 0 {
		i := slices.IndexFunc(rest, func(l leftRelease) bool {
			return !slices.ContainsFunc(rest, func(o leftRelease) bool { return slices.Contains(needsOf(o.Labels), l.Key) })
		})
		i = max(i, 0) // labels may form a cycle
		out, rest = append(out, rest[i]), slices.Delete(rest, i, i+1)
	}
	return out
}
