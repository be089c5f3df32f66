package stack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
)

// planned is a member with its plan, from which the outputs for others follow.
type planned struct {
	*member
	release engine.Release
	twin    *twin
	plan    MemberPlan
	// first and second are the values of the release with each of two examples for
	// what is unknown; equal if nothing is.
	first, second map[string]any
	// earlier are the Secrets of the newest revision, if the plan changes the release:
	// members that need it may still show what they hold.
	earlier func() ([]*unstructured.Unstructured, error)
}

// resolved is an output, as far as it is known.
type resolved struct {
	value any
	known bool
	hide  []*unstructured.Unstructured // Secrets that the value is from
}

// planned resolves an output by the plans of the members that it comes from.
func (o Output) planned(ctx context.Context, members map[string]*planned) (resolved, error) {
	r, err := o.find(ctx, members)
	if err != nil {
		return r, err
	}
	if o.kind != outputFunc {
		if r.hide, err = members[o.member].hides(ctx, o, r); err != nil {
			return r, err
		}
	}
	if r.known {
		r.value, err = o.typed(r.value)
	}
	return r, err
}

func (o Output) find(ctx context.Context, members map[string]*planned) (resolved, error) {
	switch o.kind {
	case outputFunc:
		return o.findFunc(ctx, func(f Output) (resolved, error) { return f.planned(ctx, members) })
	case outputValue:
		names, _ := splitPath(o.path)
		p := members[o.member]
		first, second := at(p.first, names), at(p.second, names)
		if first == nil && second == nil {
			return resolved{}, &OutputError{o.String(), ErrOutputMissing}
		}
		return resolved{value: first, known: reflect.DeepEqual(first, second)}, nil
	case outputNotes:
		return members[o.member].notes(ctx)
	}
	return members[o.member].field(ctx, o)
}

func (o Output) findFunc(ctx context.Context, find func(Output) (resolved, error)) (resolved, error) {
	out := resolved{known: true}
	values := make([]any, len(o.from))
	for i, f := range o.from {
		r, err := find(f)
		if err != nil {
			return resolved{}, err
		}
		values[i], out.known = r.value, out.known && r.known
		out.hide = addObjects(out.hide, r.hide)
	}
	if !out.known {
		return out, nil
	}
	secrets := redactorOf(out.hide...)
	var err error
	if out.value, err = o.call(ctx, values); err != nil {
		if text := err.Error(); secrets.Contains(text) {
			err = errors.New(secrets.String(text)) // not wrapped: its text has the secret
		}
		return resolved{}, &OutputError{o.String(), err}
	}
	if n, ok := out.value.(int); ok {
		out.value = int64(n)
	}
	if slices.ContainsFunc(values, func(v any) bool { return secrets.Contains(fmt.Sprint(v)) }) {
		out.hide = append(out.hide, secretOf(out.value))
	}
	return out, nil
}

// call calls the function of the output. A panic is an error, as those of template
// functions are.
func (o Output) call(ctx context.Context, values []any) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the function panics: %v", p)
		}
	}()
	return o.make(ctx, values)
}

// secretOf is a Secret with a value that was made of one.
func secretOf(v any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "stringData": map[string]any{"value": v},
	}}
}

// addObjects appends those that are not there yet.
func addObjects(to, more []*unstructured.Unstructured) []*unstructured.Unstructured {
	for _, u := range more {
		if !slices.Contains(to, u) {
			to = append(to, u)
		}
	}
	return to
}

// notes are those that the release has now if it does not change, and those that
// were rendered otherwise.
func (p *planned) notes(ctx context.Context) (resolved, error) {
	if !p.plan.Plan.Changed() && !p.plan.Later() {
		stored, err := p.engine.Get(ctx, p.key(), 0)
		if err != nil {
			return resolved{}, err
		}
		return resolved{value: stored.Notes, known: true}, nil
	}
	if p.twin.next != nil && p.twin.next.Notes != p.twin.first.Notes {
		return resolved{}, nil
	}
	return resolved{value: p.twin.first.Notes, known: true}, nil
}

// field is the value of a field that the plan of the release leaves as it is, or
// sets to what the chart says. Everything else is known only once it is applied.
func (p *planned) field(ctx context.Context, o Output) (resolved, error) {
	want := o.objectOf(p.key())
	changes := p.plan.Plan.Report.Changes
	i := slices.IndexFunc(changes, func(ch diff.Change) bool {
		is := ch.Object
		return is.Group == want.Group && is.Kind == want.Kind && is.Name == want.Name && (is.Namespace == want.Namespace || is.Namespace == "")
	})
	if i < 0 {
		if len(p.plan.Plan.Hooks) > 0 || slices.ContainsFunc(changes, diff.Change.Changed) {
			return resolved{}, nil
		}
		return p.live(ctx, o)
	}
	ch := changes[i]
	if slices.Contains(p.plan.Uncertain, ch.Object) {
		return resolved{}, nil
	}
	switch ch.Action {
	case diff.Deleted:
		return resolved{}, &OutputError{o.String(), fmt.Errorf("%w: the plan deletes the object", ErrOutputMissing)}
	case diff.Unchanged, diff.Kept:
		return p.live(ctx, o)
	}
	value, known, touched, err := ch.Planned(o.path)
	switch {
	case err != nil:
		return resolved{}, &OutputError{o.String(), err}
	case touched && known && value != nil:
		return resolved{value: value, known: true}, nil
	case touched || ch.Local || ch.Action == diff.Created || ch.Action == diff.Replaced || strings.HasPrefix(o.path, "status"):
		return resolved{}, nil
	}
	return p.live(ctx, o)
}

// objectOf is the object of a field, in the namespace of the release if it names
// none.
func (o Output) objectOf(k engine.Key) diff.Object {
	out := o.object
	if out.Namespace == "" {
		out.Namespace = k.Namespace
	}
	return out
}

// live is the value of a field now; not known if it is not there.
func (m *member) live(ctx context.Context, o Output) (resolved, error) {
	u, err := m.engine.Live(ctx, m.key(), o.object)
	if errors.Is(err, engine.ErrObjectNotFound) || errors.Is(err, engine.ErrUnknownKind) {
		return resolved{}, nil
	}
	if err != nil {
		return resolved{}, err
	}
	value, found, err := diff.Lookup(u, o.path)
	if err != nil || !found {
		return resolved{}, err
	}
	out := resolved{value: value, known: true}
	if isSecret(diff.ObjectOf(u)) {
		out.hide = append(out.hide, u)
		if strings.HasPrefix(o.path, "data") {
			out.value, err = decoded(o, value)
		}
	}
	return out, err
}

// assumed are the definitions and namespaces that members before m create or
// change on its cluster.
func (s *Stack) assumed(m *member, members map[string]*planned) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, above := range s.above(m) {
		if above.engine != m.engine {
			continue
		}
		p := members[above.Name]
		for _, ch := range p.plan.Plan.Report.Changes {
			switch {
			case !brings(ch):
			case isNamespace(ch.Object):
				u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
				u.SetName(ch.Object.Name)
				out = append(out, u)
			default:
				for _, o := range slices.Concat(p.twin.first.CRDs, p.twin.first.Objects) {
					if isDefinition(diff.ObjectOf(o.Unstructured)) && o.GetName() == ch.Object.Name {
						out = append(out, o.Unstructured)
					}
				}
			}
		}
	}
	return out
}

// used are those of the assumed objects that the plan of a release depends on: its
// namespaces, and the definitions of its kinds.
func used(assumed []*unstructured.Unstructured, plan *engine.Plan) []diff.Object {
	kinds, namespaces := map[string]bool{}, map[string]bool{plan.Key.Namespace: true}
	see := func(o diff.Object) {
		kinds[o.Group+"/"+o.Kind], namespaces[o.Namespace] = true, true
	}
	for _, ch := range plan.Report.Changes {
		see(ch.Object)
	}
	for _, h := range plan.Hooks {
		see(h.Object)
	}
	out := map[diff.Object]bool{}
	for _, u := range assumed {
		o := diff.ObjectOf(u)
		group, _, _ := unstructured.NestedString(u.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(u.Object, "spec", "names", "kind")
		if isNamespace(o) && namespaces[o.Name] || isDefinition(o) && kinds[group+"/"+kind] {
			out[o] = true
		}
	}
	return slices.SortedFunc(maps.Keys(out), diff.Object.Compare)
}
