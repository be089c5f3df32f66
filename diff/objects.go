package diff

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// ObjectError is returned by [Objects] for an object that cannot be compared.
type ObjectError struct {
	// In is "before" or "after".
	In string
	// Index is that of the object in its list, or of the list that it is in.
	Index int
	// Object is as much of its identity as it has.
	Object Object
	Err    error
}

func (e *ObjectError) Error() string {
	return fmt.Sprintf("compare: object %d of %s: %v", e.Index, e.In, e.Err)
}

func (e *ObjectError) Unwrap() error { return e.Err }

// Objects compares two renders without a cluster, such as those of a chart
// before and after a pull request. Objects of before alone are Deleted, or Kept
// if they ask for it; those of after alone are Created; the others are Updated
// or Unchanged, and nothing is Adopted, Drift, Default or Conflict. The report
// has the objects of after in their order, then those of before that are gone,
// the last one first. All values of Secrets in either render are hidden, also
// where opts.Secrets does not know them.
//
// An object is found again by its group, kind, namespace and name:
//
//   - Its version does not matter. Fields of different versions are compared as
//     they are, and apiVersion is one of the fields that change. Another group
//     makes it another object.
//   - Objects of kind List, or of any other kind with items, stand for their
//     items.
//   - An object without a namespace is the only one of its group, kind and name
//     in the other render, whatever namespace that has: without a cluster it is
//     not known in which it would be. metadata.namespace is then one of the
//     fields that change, with a warning.
//   - Of an object that a render has twice, the last one counts, as it would
//     remain in the cluster; the report warns of it.
//   - Objects with generateName and no name are each of their own. The first of
//     one render is compared with the first of the other, and so on.
//
// It returns an [*ObjectError] for what is no Kubernetes object. Nil is ignored.
func Objects(before, after []*unstructured.Unstructured, opts Options) (Report, error) {
	was, err := renderOf("before", before)
	if err != nil {
		return Report{}, err
	}
	is, err := renderOf("after", after)
	if err != nil {
		return Report{}, err
	}
	all := slices.Concat(was.all, is.all)
	if opts.Secrets == nil {
		opts.Secrets = NewRedactor(RedactorOptions{}, all...)
	} else {
		opts.Secrets = opts.Secrets.With(all...)
	}
	report := Report{Changes: []Change{}, Warnings: slices.Concat(was.warnings, is.warnings)}
	pairs := pair(was, is)
	compared := map[identified]bool{}
	for _, id := range is.order {
		from, found := pairs[id]
		if found {
			compared[from] = true
		}
		ch, err := changeOf(was.objects[from], is.objects[id], opts)
		if err != nil {
			return Report{}, err
		}
		report.Changes = append(report.Changes, ch)
	}
	for _, id := range slices.Backward(was.order) {
		if compared[id] {
			continue
		}
		ch, err := changeOf(was.objects[id], nil, opts)
		if err != nil {
			return Report{}, err
		}
		report.Changes = append(report.Changes, ch)
	}
	return opts.Secrets.Report(report), nil
}

// identified is an object of a render: its identity without a version, and
// which of those it is that have generateName and no name.
type identified struct {
	Object
	generated int
}

// rendered is one of the renders that Objects compares.
type rendered struct {
	objects  map[identified]*unstructured.Unstructured
	order    []identified
	all      []*unstructured.Unstructured // those that do not count among them
	warnings []string
}

func renderOf(in string, objects []*unstructured.Unstructured) (*rendered, error) {
	r := &rendered{objects: map[identified]*unstructured.Unstructured{}}
	var all []identified
	last, generated := map[identified]int{}, map[identified]int{}
	for i, u := range objects {
		err := eachObject(u, 0, func(u *unstructured.Unstructured) error {
			id := identified{Object: ObjectOf(u)}
			id.Version = ""
			switch {
			case id.Kind == "" || u.GetAPIVersion() == "":
				return errors.New("it has no apiVersion and kind")
			case id.Name == "" && u.GetGenerateName() == "":
				return errors.New("it has no name")
			case id.Name == "":
				id.Name = u.GetGenerateName()
				generated[id]++
				id.generated = generated[identified{Object: id.Object}]
			}
			if _, twice := last[id]; twice {
				r.warnings = append(r.warnings, fmt.Sprintf("%s is more than once in what is rendered %s; the last one counts", id.Object, in))
			}
			r.objects[id], last[id] = u, len(all)
			r.all, all = append(r.all, u), append(all, id)
			return nil
		})
		if err != nil {
			return nil, &ObjectError{In: in, Index: i, Object: ObjectOf(u), Err: err}
		}
	}
	for i, id := range all {
		if last[id] == i {
			r.order = append(r.order, id)
		}
	}
	return r, nil
}

// eachObject calls each for the items of a list, and for any other object.
func eachObject(u *unstructured.Unstructured, depth int, each func(*unstructured.Unstructured) error) error {
	if u == nil || len(u.Object) == 0 {
		return nil
	}
	items, ok := u.Object["items"].([]any)
	if !ok {
		return each(u)
	}
	if depth > maxDepth {
		return fmt.Errorf("lists are nested more than %d levels deep", maxDepth)
	}
	for _, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return errors.New("an item of the list is not an object")
		}
		if err := eachObject(&unstructured.Unstructured{Object: object}, depth+1, each); err != nil {
			return err
		}
	}
	return nil
}

// pair finds the objects of the second render in the first.
func pair(was, is *rendered) map[identified]identified {
	pairs := map[identified]identified{}
	anywhere := func(id identified) identified {
		id.Namespace = ""
		return id
	}
	missing := map[identified][]identified{} // of the first render, by what is left without a namespace
	for _, id := range was.order {
		if is.objects[id] == nil {
			missing[anywhere(id)] = append(missing[anywhere(id)], id)
		}
	}
	added := map[identified]int{}
	for _, id := range is.order {
		if was.objects[id] != nil {
			pairs[id] = id
		} else {
			added[anywhere(id)]++
		}
	}
	for _, id := range is.order {
		from := missing[anywhere(id)]
		if was.objects[id] == nil && len(from) == 1 && added[anywhere(id)] == 1 && (id.Namespace == "") != (from[0].Namespace == "") {
			pairs[id] = from[0]
		}
	}
	return pairs
}

// changeOf is the change from one state of an object to another, either of
// which may be nil.
func changeOf(before, after *unstructured.Unstructured, opts Options) (Change, error) {
	o := ObjectOf(after)
	if after == nil {
		o = ObjectOf(before)
	}
	if o.Namespace == "" && before != nil {
		o.Namespace = before.GetNamespace()
	}
	ch, err := Compare(Input{Object: o, Base: before, Live: before, Desired: after, Merged: after}, opts)
	if err != nil {
		return Change{}, err
	}
	for _, u := range []*unstructured.Unstructured{before, after} {
		if ch.Object.Name == "" && u != nil {
			ch.Object.Name = u.GetGenerateName()
		}
	}
	if before == nil || after == nil {
		return ch, nil
	}
	var fields []Field
	for _, f := range []struct{ path, was, is string }{
		{"apiVersion", before.GetAPIVersion(), after.GetAPIVersion()},
		{"metadata.namespace", before.GetNamespace(), after.GetNamespace()},
	} {
		if f.was != f.is {
			field := Field{Path: f.path, Cause: Chart}
			if f.was != "" {
				field.Base, field.Live = f.was, f.was
			}
			if field.Desired = f.is; f.is == "" {
				field.Desired, field.Cause = nil, Removed
			}
			fields = append(fields, field)
		}
	}
	if before.GetNamespace() != after.GetNamespace() {
		ch.Warnings = append(ch.Warnings, "only one of the renders says the namespace: it is the same object only if that is the one of the release")
	}
	if ch.Fields = append(fields, ch.Fields...); ch.Action == Unchanged && len(ch.Fields) > 0 {
		ch.Action = Updated
	}
	return ch, nil
}
