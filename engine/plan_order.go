package engine

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/order"
)

// orderFindings are what is wrong with annotations about order, by step.
type orderFindings struct {
	problems map[int][]Problem
	warnings map[int][]string
}

// applyOrder finds the order in which steps are applied, as far as annotations
// ask for one; nil: they do not. What is wrong with them is a problem of the
// object that asks; where the objects come from the history it is only a
// warning, so that the way back is not blocked, and left out of the order.
func (b *builder) applyOrder(steps []step) (*annotatedOrder, orderFindings) {
	found := orderFindings{map[int][]Problem{}, map[int][]string{}}
	if b.mode == rollingOut {
		return nil, found // one object
	}
	a := arranger{steps: steps, order: &annotatedOrder{map[int]int{}, map[int][]int{}}, byID: map[diff.Object]int{}}
	a.wrong = func(i int, message, hint string) {
		if b.mode.restores() {
			found.warnings[i] = appendNew(found.warnings[i], message+"; that is left out of the order")
			return
		}
		found.problems[i] = append(found.problems[i], newProblem(ProblemOrder, steps[i].object.id, message, hint))
	}
	asked := false
	for i, s := range steps {
		if s.object.desired == nil || b.blocked(s.object) != nil {
			continue
		}
		a.desired = append(a.desired, i)
		a.byID[identity(s.object.id)] = i
		asked = asked || s.object.origin != fromCRDs && order.Annotated(s.object.desired)
	}
	if !asked {
		return nil, found
	}
	a.readAnnotations()
	a.followContainers()
	a.dropImplied()
	a.openCircles()
	return a.order, found
}

// arranger works out the order of what is desired.
type arranger struct {
	steps   []step
	desired []int // indices into steps
	byID    map[diff.Object]int
	order   *annotatedOrder
	wrong   func(i int, message, hint string)
}

func (a *arranger) object(i int) *object { return a.steps[i].object }

func (a *arranger) readAnnotations() {
	for _, i := range a.desired {
		o := a.object(i)
		if o.origin == fromCRDs {
			continue // applied before everything else
		}
		wave, err := order.WaveOf(o.desired)
		if err != nil {
			a.wrong(i, err.Error(), "write a whole number, such as \"1\"")
		}
		if wave != 0 {
			a.order.waves[i] = wave
		}
		refs, err := order.References(o.desired)
		if err != nil {
			a.wrong(i, err.Error(), "an example is apps/namespaces/shop/Deployment/web")
		}
		for _, ref := range refs {
			if on, ok := a.byID[ref]; ok {
				a.order.need(i, on)
				continue
			}
			a.wrong(i, fmt.Sprintf("it depends on %s, which the release does not have", order.Reference(ref)), a.hintFor(o, ref))
		}
	}
}

func (a *arranger) hintFor(o *object, ref diff.Object) string {
	if ref.Namespace == "" {
		ref.Namespace = o.id.Namespace
		if _, ok := a.byID[ref]; ok {
			return "write " + order.Reference(ref)
		}
	}
	return "name an object of this release, or remove the annotation; hooks, and objects from elsewhere, cannot be waited for"
}

// followContainers puts what is in a namespace, or of a kind, of the release
// after that, where the namespace or CRD waits for something itself or is in a
// wave of its own. Otherwise the order of kinds does.
func (a *arranger) followContainers() {
	kinds := map[schema.GroupKind]int{}
	for _, i := range a.desired {
		if o := a.object(i); o.isDefinition() && a.order.has(i) {
			for kind := range kindsDefinedBy(o.desired) {
				kinds[kind] = i
			}
		}
	}
	for _, i := range a.desired {
		o := a.object(i)
		if ns, ok := a.byID[diff.Object{Kind: "Namespace", Name: o.id.Namespace}]; ok && a.order.has(ns) {
			a.order.need(i, ns)
		}
		if crd, ok := kinds[o.groupKind()]; ok {
			a.order.need(i, crd)
		}
	}
}

// dropImplied leaves out needs that crds/ and earlier waves fulfil, and reports
// those that a later wave contradicts.
func (a *arranger) dropImplied() {
	waves := a.order.waves
	for _, i := range a.desired {
		a.order.needs[i] = slices.DeleteFunc(a.order.needs[i], func(on int) bool {
			switch {
			case a.object(on).origin == fromCRDs, waves[on] < waves[i]:
				return true
			case waves[on] == waves[i]:
				return false
			}
			a.wrong(i, fmt.Sprintf("it is in wave %d and depends on %s, which is in wave %d", waves[i], a.object(on).id, waves[on]), "put it into the same wave or a later one")
			return true
		})
	}
}

func (a *arranger) openCircles() {
	for _, circle := range order.OpenCircles(len(a.steps), a.order.needs) {
		names := make([]string, 0, len(circle)+1)
		for _, i := range append(slices.Clone(circle), circle[0]) {
			names = append(names, a.object(i).id.String())
		}
		a.wrong(circle[0], "objects depend on each other in a circle: "+strings.Join(names, " → "), "remove one of these annotations "+AnnotationDependsOn)
	}
}

// need notes that step i comes after another.
func (o *annotatedOrder) need(i, on int) {
	if !slices.Contains(o.needs[i], on) {
		o.needs[i] = append(o.needs[i], on)
	}
}

func (o *annotatedOrder) has(i int) bool { return len(o.needs[i]) > 0 || o.waves[i] != 0 }

// deleteOrder finds the order in which steps are deleted; nil: annotations ask
// for none. As in applyOrder, needs are what is applied before, and so is
// deleted after. What cannot be followed is left out, so that nothing blocks a
// deletion.
func deleteOrder(steps []step) *annotatedOrder {
	annotated := func(o *object) *unstructured.Unstructured {
		if o.live != nil {
			return o.live
		}
		return o.base
	}
	byID := map[diff.Object]int{}
	var deleted []int
	asked := false
	for i, s := range steps {
		if s.change.Action == diff.Deleted {
			deleted, byID[identity(s.object.id)] = append(deleted, i), i
			asked = asked || order.Annotated(annotated(s.object))
		}
	}
	if !asked {
		return nil
	}
	out := &annotatedOrder{map[int]int{}, map[int][]int{}}
	for _, i := range deleted {
		u := annotated(steps[i].object)
		if wave, err := order.WaveOf(u); err == nil && wave != 0 {
			out.waves[i] = wave
		}
		refs, err := order.References(u)
		if err != nil {
			continue
		}
		for _, ref := range refs {
			if on, ok := byID[ref]; ok && on != i {
				out.need(i, on)
			}
		}
	}
	for _, i := range deleted {
		out.needs[i] = slices.DeleteFunc(out.needs[i], func(on int) bool { return out.waves[on] != out.waves[i] })
	}
	order.OpenCircles(len(steps), out.needs)
	return out
}

// notes describe the order for people.
func (o *annotatedOrder) notes(steps []step) []string {
	if o == nil {
		return nil
	}
	var out []string
	var written []int
	count := map[int]int{}
	for i, s := range steps {
		if s.object.desired != nil && s.object.origin != fromCRDs {
			written = append(written, i)
			count[o.waves[i]]++
		}
	}
	if len(count) > 1 {
		var waves []int
		for wave := range count {
			waves = append(waves, wave)
		}
		slices.Sort(waves)
		var parts []string
		for _, wave := range waves {
			parts = append(parts, fmt.Sprintf("%d (%d objects)", wave, count[wave]))
		}
		out = append(out, "waves, each of them ready before the next: "+strings.Join(parts, ", "))
	}
	for _, i := range written {
		if len(o.needs[i]) == 0 {
			continue
		}
		var names []string
		for _, on := range o.needs[i] {
			names = append(names, steps[on].object.id.String())
		}
		out = append(out, fmt.Sprintf("%s waits for %s", steps[i].object.id, strings.Join(names, ", ")))
	}
	return out
}
