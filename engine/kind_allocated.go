package engine

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
)

// allocators visit the values in an object that the API server chooses itself,
// anew for each request: what a dry-run returns there is not what an apply
// returns. Fields that are listed by no function here follow from the request.
var allocators = map[string]func(o map[string]any, choose func(allocated)){
	"/Service":  allocatedOfService,
	"/Pod":      allocatedOfPod,
	"batch/Job": allocatedOfJob,
}

// allocated is one value that the API server chooses: that of a key in a map.
type allocated struct {
	in  map[string]any
	key string
	// kind says among which values of the live object and of the manifest it is
	// found if it was not chosen for this request: those of the same kind.
	kind string
}

func allocatedOfService(o map[string]any, choose func(allocated)) {
	spec, _ := o["spec"].(map[string]any)
	for _, field := range []string{"clusterIP", "healthCheckNodePort"} {
		choose(allocated{spec, field, field})
	}
	ips, _ := spec["clusterIPs"].([]any)
	for i := range ips {
		one := map[string]any{"": ips[i]}
		choose(allocated{one, "", "clusterIP"})
		ips[i] = one[""]
	}
	for _, p := range mappingsOf(spec["ports"]) {
		choose(allocated{p, "nodePort", "nodePort"})
	}
}

// allocatedOfJob visits the labels with the Job's UID.
func allocatedOfJob(o map[string]any, choose func(allocated)) {
	for _, path := range [][]string{{"spec", "selector", "matchLabels"}, {"spec", "template", "metadata", "labels"}} {
		labels, _, _ := unstructured.NestedFieldNoCopy(o, path...)
		m, _ := labels.(map[string]any)
		for _, label := range []string{"controller-uid", "batch.kubernetes.io/controller-uid"} {
			choose(allocated{m, label, "uid"})
		}
	}
}

// allocatedOfPod visits the name of the volume with the token of its service
// account, and where containers mount it.
func allocatedOfPod(o map[string]any, choose func(allocated)) {
	const prefix = "kube-api-access-"
	spec, _ := o["spec"].(map[string]any)
	named := func(list any) {
		for _, m := range mappingsOf(list) {
			if strings.HasPrefix(fmt.Sprint(m["name"]), prefix) {
				choose(allocated{m, "name", "volume"})
			}
		}
	}
	named(spec["volumes"])
	for _, field := range []string{"containers", "initContainers"} {
		for _, c := range mappingsOf(spec[field]) {
			named(c["volumeMounts"])
		}
	}
}

func mappingsOf(list any) []map[string]any {
	items, _ := list.([]any)
	out := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// eachAllocated visits what the API server has chosen in an object for this
// request: values that none of have, the live object and the manifest, has. u is
// what is visited, and may be changed by choose.
func eachAllocated(u *unstructured.Unstructured, choose func(allocated), have ...*unstructured.Unstructured) {
	visit := allocators[u.GroupVersionKind().Group+"/"+u.GetKind()]
	if visit == nil {
		return
	}
	known := map[string][]any{"clusterIP": {"None", ""}}
	for _, h := range have {
		if h != nil {
			visit(h.DeepCopy().Object, func(a allocated) { known[a.kind] = append(known[a.kind], a.in[a.key]) })
		}
	}
	visit(u.Object, func(a allocated) {
		if v := a.in[a.key]; v != nil && !slices.ContainsFunc(known[a.kind], func(k any) bool { return fmt.Sprint(k) == fmt.Sprint(v) }) {
			choose(a)
		}
	})
}

// withoutAllocated is a target of a patch without the addresses and ports that a
// dry-run has allocated: the API server may refuse them when they are written.
func (in intended) withoutAllocated(to *unstructured.Unstructured) *unstructured.Unstructured {
	if to.GetKind() != "Service" || to.GetAPIVersion() != "v1" {
		return to
	}
	to = to.DeepCopy()
	eachAllocated(to, func(a allocated) { delete(a.in, a.key) }, in.live, in.body)
	spec, _ := to.Object["spec"].(map[string]any)
	if ips, ok := spec["clusterIPs"].([]any); ok {
		ips = slices.DeleteFunc(ips, func(ip any) bool { return ip == nil })
		if spec["clusterIPs"] = ips; len(ips) == 0 {
			delete(spec, "clusterIPs")
		}
	}
	return to
}

// markAllocated shows as unknown what the API server has chosen for the dry-run
// that merged is the result of; have as in eachAllocated.
func markAllocated(change diff.Change, merged *unstructured.Unstructured, have ...*unstructured.Unstructured) (diff.Change, error) {
	if allocators[change.Object.Group+"/"+change.Object.Kind] == nil || len(change.Fields) == 0 {
		return change, nil
	}
	other, chosen := merged.DeepCopy(), false
	eachAllocated(other, func(a allocated) {
		a.in[a.key], chosen = fmt.Sprint("not ", a.in[a.key]), true
	}, have...)
	if !chosen {
		return change, nil
	}
	return change.MarkAllocated(merged, other)
}

// withReallocated are the fields of an object that is replaced, and those that the
// API server chooses once more as it is created again: created is the result of a
// dry-run of that, under another name.
func (j *judge) withReallocated(in intended, f prediction, fields []diff.Field, created *unstructured.Unstructured) ([]diff.Field, error) {
	if allocators[in.id.Group+"/"+in.id.Kind] == nil {
		return fields, nil
	}
	created = created.DeepCopy()
	created.SetName(in.id.Name)
	change, err := j.compare(in, f, created, j.redactor)
	if err != nil {
		return nil, err
	}
	if change, err = markAllocated(change, created, in.body); err != nil { // what it has now is free by then
		return nil, err
	}
	out := slices.Clone(fields)
	for _, field := range change.Fields {
		of := field.Path
		if of == "spec.clusterIPs" {
			of = "spec.clusterIP"
		}
		_, given, err := diff.Lookup(in.body, of)
		if err != nil {
			return nil, err
		}
		if given || len((diff.Change{Fields: []diff.Field{field}}).Unknown()) == 0 {
			continue
		}
		if i := slices.IndexFunc(out, func(f diff.Field) bool { return f.Path == field.Path }); i >= 0 {
			out[i].Desired = field.Desired
			continue
		}
		out = append(out, field)
	}
	slices.SortStableFunc(out, func(a, b diff.Field) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}
