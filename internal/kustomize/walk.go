package kustomize

import (
	"bytes"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

// walk follows a kustomization to all that it reaches, before kustomize sees
// any of it: references are made local, what would leave the files, run
// something, never end or grow without a bound is refused.
type walk struct {
	ctx     context.Context
	options Options
	files   map[string][]byte
	dirs    map[string]bool
	// loaded says where in files a remote reference stands.
	loaded  map[string]string
	remote  int    // how many were loaded
	brought []File // by them
	// visited and plugged are what kustomizations, and folders of plugins, weigh
	// with all that is below them.
	visited map[string]visited
	plugged map[string]weight
	values  *values
	// transforming is what the transformers copy that were looked at last.
	transforming []replacement
	open         []string // the folders above
}

func (w *walk) put(name string, data []byte) {
	w.files[name] = data
	for dir := path.Dir(name); !w.dirs[dir]; dir = path.Dir(dir) {
		w.dirs[dir] = true
	}
}

// find gives the kustomization of a folder.
func (w *walk) find(dir string) (string, error) {
	found := ""
	for _, name := range []string{"kustomization.yaml", "kustomization.yml", "Kustomization"} {
		name = path.Join(dir, name)
		if _, ok := w.files[name]; !ok {
			continue
		}
		if found != "" {
			return "", refusal(found, "leave one of them", "both %s and %s are there", found, name)
		}
		found = name
	}
	if found == "" {
		return "", refusal(dir, "name the folder that has the kustomization", "%w", ErrNoFile)
	}
	return found, nil
}

// read decodes a folder's kustomization as kustomize does.
func (w *walk) read(dir string) (string, *types.Kustomization, error) {
	file, err := w.find(dir)
	if err != nil {
		return "", nil, err
	}
	k := &types.Kustomization{}
	if err := w.options.Limits.check(file, w.files[file]); err != nil {
		return "", nil, err
	}
	if err := k.Unmarshal(w.files[file]); err != nil {
		return "", nil, refusal(file, "correct the kustomization", "%w", err)
	}
	k.FixKustomization()
	w.modernise(dir, k)
	if len(k.HelmCharts) > 0 || k.HelmGlobals != nil {
		return "", nil, refusal(file, "render the chart for itself, with this kustomization as its post-renderer", "helmCharts are not rendered here")
	}
	return file, k, nil
}

// modernise gives old fields the names of the new ones that mean the same, for
// kustomize prints a warning where it meets them. Those that would mean something
// else are left: patchesJson6902, which come later than patches do, and vars.
func (w *walk) modernise(dir string, k *types.Kustomization) {
	//lint:ignore SA1019 this is what it is about
	merges, labels := &k.PatchesStrategicMerge, &k.CommonLabels
	patches := make([]types.Patch, 0, len(*merges)+len(k.Patches))
	for _, merge := range *merges {
		_, isFile := w.files[path.Join(dir, string(merge))]
		if inline := !isFile && strings.Contains(string(merge), ":") && !isRemote(string(merge)); inline {
			patches = append(patches, types.Patch{Patch: string(merge)})
		} else {
			patches = append(patches, types.Patch{Path: string(merge)})
		}
	}
	if *merges = nil; len(patches) > 0 {
		k.Patches = append(patches, k.Patches...)
	}
	for _, other := range k.Labels {
		for key := range other.Pairs {
			if _, both := (*labels)[key]; both {
				return // for kustomize to judge
			}
		}
	}
	if len(*labels) > 0 {
		k.Labels = append(k.Labels, types.Label{Pairs: *labels, IncludeSelectors: true})
	}
	*labels = nil
}

// write puts a kustomization back, its references made local.
func (w *walk) write(file string, k *types.Kustomization) error {
	text, err := yaml.Marshal(k)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	w.files[file] = text
	return nil
}

// enter goes down into a folder, unless that is one of those above.
func (w *walk) enter(from place, dir string) (leave func(), err error) {
	for _, above := range w.open {
		if above == dir || within(above, dir) && rootOf(above) == rootOf(dir) {
			return nil, refusal(from.file, "break the circle", "%s is reached from itself: %s", dir, strings.Join(append(slices.Clone(w.open), dir), ", "))
		}
	}
	if err := w.ctx.Err(); err != nil {
		return nil, context.Cause(w.ctx)
	}
	w.open = append(w.open, dir)
	return func() { w.open = w.open[:len(w.open)-1] }, nil
}

// visited is what is known of a kustomization that was followed.
type visited struct {
	weight       weight // with all that is below
	entries      entries
	replacements []replacement
	variables    []string
	targeted     []targeted
	component    bool
}

// visit follows the kustomization of a folder.
func (w *walk) visit(from place, dir string) (weight, visited, error) {
	if known, ok := w.visited[dir]; ok {
		return known.weight, known, nil
	}
	leave, err := w.enter(from, dir)
	if err != nil {
		return weight{}, visited{}, err
	}
	defer leave()
	file, k, err := w.read(dir)
	if err != nil {
		return weight{}, visited{}, err
	}
	v := visitor{walk: w, at: place{file: file, dir: dir, root: rootOf(dir)}}
	v.total = weight{files: 1, bytes: int64(len(w.files[file]))}
	v.kustomization(k)
	if v.err != nil {
		return weight{}, visited{}, v.err
	}
	own := visited{v.total, v.entries, v.replacements, v.variables, v.targeted, k.Kind == types.ComponentKind}
	w.visited[dir] = own
	return v.total, own, w.write(file, k)
}

// load gives what a remote reference means, as a path among the files.
func (w *walk) load(at place, ref string) (string, error) {
	if name, ok := w.loaded[ref]; ok {
		return name, nil
	}
	if w.options.Remote == nil {
		return "", &RemoteError{File: at.file, Ref: withoutCredentials(ref)}
	}
	if w.remote >= w.options.Limits.Depth {
		return "", &LimitError{"Depth", int64(w.options.Limits.Depth), withoutCredentials(ref)}
	}
	files, inside, err := w.options.Remote(w.ctx, ref)
	if err != nil {
		return "", &RemoteError{File: at.file, Ref: withoutCredentials(ref), Err: err}
	}
	root := mountName(w.remote)
	w.remote++
	for _, f := range files {
		f.Name = path.Join(root, f.Name)
		w.brought = append(w.brought, f)
		w.put(f.Name, bytes.TrimPrefix(f.Data, utf8BOM))
	}
	name := path.Join(root, inside)
	if _, ok := w.files[name]; !within(name, root) || !ok && !w.dirs[name] {
		return "", &RemoteError{File: at.file, Ref: withoutCredentials(ref), Err: fmt.Errorf("what was loaded has no %q", inside)}
	}
	w.loaded[ref] = name
	return name, nil
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}
