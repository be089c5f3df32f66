package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/graph"
	"github.com/fairlead-dev/fairlead/render"
)

// order is what annotations say of the order of objects, beyond that of their
// kinds. Nil: nothing, which is the rule.
type order struct {
	waves map[*item]int     // of those that are not in wave 0
	needs map[*item][]*item // each comes after these
}

// arrange finds the order in which what is desired is to be applied. What is
// wrong with it is a problem of the object that asks for it. Going back to an
// earlier revision is not held up by its annotations: there they are only
// warned of, and left out.
func (pl *planning) arrange(items []*item) *order {
	if pl.only != nil {
		return nil // one object
	}
	var desired []*item
	asked := false
	for _, it := range items {
		if it.desired != nil && pl.e.allowed(pl.key, it.object) {
			desired = append(desired, it)
			asked = asked || !it.crd && hasOrder(it.desired)
		}
	}
	if !asked {
		return nil
	}
	o := &order{map[*item]int{}, map[*item][]*item{}}
	byID := map[diff.Object]*item{}
	for _, it := range desired {
		byID[identity(it.object)] = it
	}
	wrong := func(it *item, message, hint string) {
		if pl.back {
			it.change.Warnings = appendNew(it.change.Warnings, message+"; that is left out of the order")
			return
		}
		it.problem(ProblemOrder, message, hint)
	}
	for _, it := range desired {
		if it.crd {
			continue // of crds/: they are there before all else
		}
		wave, err := waveOf(it.desired)
		if err != nil {
			wrong(it, err.Error(), "write a whole number, such as \"1\"")
		}
		if wave != 0 {
			o.waves[it] = wave
		}
		refs, err := dependsOn(it.desired)
		if err != nil {
			wrong(it, err.Error(), "an example is apps/namespaces/shop/Deployment/web")
		}
		for _, ref := range refs {
			if on := byID[ref]; on != nil {
				o.need(it, on)
				continue
			}
			hint := "name an object of this release, or take the annotation away; hooks, and what others bring, cannot be waited for"
			if ref.Namespace == "" {
				ref.Namespace = it.object.Namespace
				if byID[ref] != nil {
					hint = "write " + reference(ref)
				}
				ref.Namespace = ""
			}
			wrong(it, fmt.Sprintf("it depends on %s, which the release does not have", reference(ref)), hint)
		}
	}
	o.follow(desired, byID)
	for _, it := range desired {
		o.needs[it] = slices.DeleteFunc(o.needs[it], func(on *item) bool {
			if on.crd || o.waves[on] <= o.waves[it] {
				return on.crd || o.waves[on] < o.waves[it] // the wave is waited for
			}
			wrong(it, fmt.Sprintf("it is in wave %d and depends on %s, which is in wave %d", o.waves[it], on.object, o.waves[on]), "put it into the same wave or a later one")
			return true
		})
	}
	for _, circle := range o.circles(desired) {
		names := make([]string, 0, len(circle)+1)
		for _, it := range append(slices.Clone(circle), circle[0]) {
			names = append(names, it.object.String())
		}
		wrong(circle[0], "objects depend on each other in a circle: "+strings.Join(names, " → "), "take one of these annotations "+AnnotationDependsOn+" away")
	}
	return o
}

// need notes that it comes after on.
func (o *order) need(it, on *item) {
	if !slices.Contains(o.needs[it], on) {
		o.needs[it] = append(o.needs[it], on)
	}
}

// follow lets what is in a namespace, or of a kind, of the release come after
// that, where it waits for something itself or comes in a wave of its own.
// Otherwise the order of kinds does.
func (o *order) follow(desired []*item, byID map[diff.Object]*item) {
	kinds := map[schema.GroupKind]*item{}
	for _, it := range desired {
		if it.mapping.GroupVersionKind.GroupKind() == crdKind && o.has(it) {
			for kind := range ownKinds([]render.Object{{Unstructured: it.desired}}) {
				kinds[kind] = it
			}
		}
	}
	for _, it := range desired {
		if ns := byID[diff.Object{Kind: "Namespace", Name: it.object.Namespace}]; ns != nil && o.has(ns) {
			o.need(it, ns)
		}
		if crd := kinds[it.mapping.GroupVersionKind.GroupKind()]; crd != nil {
			o.need(it, crd)
		}
	}
}

func (o *order) has(it *item) bool { return len(o.needs[it]) > 0 || o.waves[it] != 0 }

// circles finds those of needs, and opens them.
func (o *order) circles(items []*item) [][]*item {
	index := map[*item]int{}
	for i, it := range items {
		index[it] = i
	}
	nodes := make([]graph.Node, len(items))
	for i, it := range items {
		for _, on := range o.needs[it] {
			nodes[i].Needs = append(nodes[i].Needs, index[on])
		}
	}
	nodes, found := graph.BreakCycles(nodes)
	of := func(indexes []int) []*item {
		var out []*item
		for _, i := range indexes {
			out = append(out, items[i])
		}
		return out
	}
	for i, it := range items {
		o.needs[it] = of(nodes[i].Needs)
	}
	var out [][]*item
	for _, circle := range found {
		out = append(out, of(circle))
	}
	return out
}

// arrangeRemoval finds the order in which objects are to be deleted: needs are
// then what is deleted after. What cannot be followed is left out, so that
// nothing holds up a removal.
func arrangeRemoval(removed []*item) *order {
	annotated := func(it *item) *unstructured.Unstructured {
		if it.live != nil {
			return it.live
		}
		return it.base
	}
	removed = slices.DeleteFunc(slices.Clone(removed), func(it *item) bool { return it.change.Action != diff.Deleted })
	if !slices.ContainsFunc(removed, func(it *item) bool { return hasOrder(annotated(it)) }) {
		return nil
	}
	o := &order{map[*item]int{}, map[*item][]*item{}}
	byID := map[diff.Object]*item{}
	for _, it := range removed {
		byID[identity(it.object)] = it
	}
	for _, it := range removed {
		if wave, err := waveOf(annotated(it)); err == nil && wave != 0 {
			o.waves[it] = wave
		}
		refs, err := dependsOn(annotated(it))
		if err != nil {
			continue
		}
		for _, ref := range refs {
			if on := byID[ref]; on != nil && on != it {
				o.need(it, on)
			}
		}
	}
	for _, it := range removed {
		o.needs[it] = slices.DeleteFunc(o.needs[it], func(on *item) bool { return o.waves[on] != o.waves[it] })
	}
	o.circles(removed)
	return o
}

// byWave cuts items into those of each wave, the lowest first.
func (o *order) byWave(items []*item) (waves []int, of map[int][]*item) {
	of = map[int][]*item{}
	for _, it := range items {
		of[o.waves[it]] = append(of[o.waves[it]], it)
	}
	return slices.Sorted(maps.Keys(of)), of
}

// lanes puts together what waits for the same, those that wait for nothing
// first: within a lane the order of kinds holds. Lanes never wait for each
// other in a circle, because then some of their items would.
func lanes(items []*item, waits func(*item) []*item, index map[*item]int) [][]*item {
	out := make([][]*item, 1)
	lane := map[string]int{"[]": 0}
	for _, it := range items {
		ids := make([]int, 0, len(waits(it)))
		for _, on := range waits(it) {
			ids = append(ids, index[on])
		}
		slices.Sort(ids)
		key := fmt.Sprint(ids)
		if _, ok := lane[key]; !ok {
			lane[key] = len(out)
			out = append(out, nil)
		}
		out[lane[key]] = append(out[lane[key]], it)
	}
	return out
}

// notes tell people of the order.
func (o *order) notes(items []*item) []string {
	if o == nil {
		return nil
	}
	var out []string
	var written []*item
	for _, it := range items {
		if it.desired != nil && !it.crd {
			written = append(written, it)
		}
	}
	if waves, of := o.byWave(written); len(waves) > 1 {
		var parts []string
		for _, wave := range waves {
			parts = append(parts, fmt.Sprintf("%d (%d objects)", wave, len(of[wave])))
		}
		out = append(out, "waves, each of them ready before the next: "+strings.Join(parts, ", "))
	}
	for _, it := range written {
		if len(o.needs[it]) == 0 {
			continue
		}
		var names []string
		for _, on := range o.needs[it] {
			names = append(names, on.object.String())
		}
		out = append(out, fmt.Sprintf("%s waits for %s", it.object, strings.Join(names, ", ")))
	}
	return out
}
