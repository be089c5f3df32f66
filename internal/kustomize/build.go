// Package kustomize runs kustomizations in memory: no process, no network, no
// file of the machine. It is the one place that knows kustomize's types.
package kustomize

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fairlead-dev/fairlead/internal/fairqueue"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// File is a file that kustomizations may refer to, its name with forward
// slashes and relative to a common root.
type File struct {
	Name string
	Data []byte
}

// Options bound what a kustomization may reach. All but Remote must be set.
type Options struct {
	// Remote loads what a URL or a repository names: the files around it, and
	// the name of the file or folder meant. Nil refuses such references.
	Remote func(ctx context.Context, ref string) (files []File, name string, err error)
	Limits Limits
	// Tenant is whose turn reading takes, as in Request.
	Tenant string
}

// Kustomization is a kustomization with all the files around it. Immutable, safe
// for concurrent use.
type Kustomization struct {
	file    string // of the kustomization itself
	over    []byte // that file with the rendered objects as first resource
	files   map[string][]byte
	loaded  []File
	weight  weight
	own     visited // what is done to rendered objects
	values  *values // what its objects have
	options Options
}

// New follows the kustomization in a folder to all that it reaches. What it
// refuses is an [*Error], a [*RemoteError] or a [*LimitError].
func New(ctx context.Context, files []File, dir string, options Options) (*Kustomization, error) {
	w := &walk{
		ctx: ctx, options: options, files: map[string][]byte{}, dirs: map[string]bool{".": true},
		values: newValues(), loaded: map[string]string{}, visited: map[string]visited{}, plugged: map[string]weight{},
	}
	for _, f := range files {
		w.put(f.Name, bytes.TrimPrefix(f.Data, utf8BOM))
	}
	dir = path.Clean(dir)
	total, own, err := w.visit(place{file: dir}, dir)
	if err != nil {
		return nil, err
	}
	file, top, err := w.read(dir)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(w.brought, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	k := &Kustomization{file: file, weight: total, own: own, values: w.values, options: options, files: maps.Clone(w.files), loaded: w.brought}
	top.Resources = slices.Insert(top.Resources, 0, "./"+rendered)
	if err := w.write(file, top); err != nil {
		return nil, err
	}
	k.over = w.files[file]
	return k, nil
}

// File is the path of the kustomization's own file.
func (k *Kustomization) File() string { return k.file }

// Loaded are the files that remote references brought, each below a folder of
// its own, sorted.
func (k *Kustomization) Loaded() []File { return k.loaded }

// rendered is the name of the file with what is to be changed.
const rendered = "fairlead-rendered.yaml"

// running lets one build go on at a time: kustomize keeps the OpenAPI schema
// that a build uses in a global variable. Tenants take turns.
var running = fairqueue.New(1)

// Request is what a build is asked for.
type Request struct {
	// Objects, if not nil, are a stream of YAML documents that come before the
	// kustomization's own resources.
	Objects []byte
	// Tenant is whose turn it takes among those that wait for a build.
	Tenant string
	// Done is called when nothing runs any more for the request, which may be after
	// Build has returned.
	Done func()
}

// Build gives the resources as YAML documents.
//
// Kustomize itself cannot be stopped. When ctx ends, Build returns at once; what
// runs is let run, apart, until it next reads a file or to its end, and the next
// Build waits for that: there is never more than one, and what it takes in was
// weighed before.
func (k *Kustomization) Build(ctx context.Context, r Request) ([][]byte, error) {
	if err := k.allow(r.Objects); err != nil {
		r.Done()
		return nil, err
	}
	if err := running.Acquire(ctx, r.Tenant, 1); err != nil {
		r.Done()
		return nil, err
	}
	type result struct {
		docs [][]byte
		err  error
	}
	out := make(chan result, 1)
	go func() {
		docs, err := k.build(ctx, r.Objects) // which does not panic
		running.Release(1)
		r.Done() // before Build returns, if it still waits
		out <- result{docs, err}
	}()
	select {
	case r := <-out:
		return r.docs, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// allow weighs the kustomization together with rendered objects.
func (k *Kustomization) allow(objects []byte) error {
	if objects == nil {
		return nil
	}
	const subject = "the rendered objects"
	has := k.values.clone()
	own, err := k.options.Limits.weigh(subject, objects, has)
	if err != nil {
		return err
	}
	total, err := k.options.Limits.add(k.weight, own, subject)
	if err == nil {
		total, err = k.options.Limits.add(total, k.own.entries.over(own), subject)
	}
	if err == nil {
		total, err = k.options.Limits.add(total, has.patched(k.own.targeted, own), subject)
	}
	if err == nil {
		_, err = k.options.Limits.add(total, has.multiplied(k.own.replacements, k.own.variables, own), subject)
	}
	return err
}

func (k *Kustomization) build(ctx context.Context, input []byte) (docs [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize failed: %v", r)
		}
	}()
	disk := &files{filesys.MakeFsInMemory(), ctx}
	for name, data := range k.files {
		if name == k.file && input != nil {
			data = k.over
		}
		if err := disk.WriteFile("/"+name, data); err != nil {
			return nil, err
		}
	}
	dir := path.Join("/", path.Dir(k.file))
	if input != nil {
		if err := disk.WriteFile(path.Join(dir, rendered), input); err != nil {
			return nil, err
		}
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the file system is the bound
	options.PluginConfig = types.DisabledPluginConfig()
	resources, err := krusty.MakeKustomizer(options).Run(disk, dir)
	if err != nil {
		return nil, err
	}
	left := k.options.Limits.MemoryBytes
	for _, r := range resources.Resources() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		size := yamlread.SizeOf(r.YNode())
		if left -= plus(size.Bytes, times(size.Nodes, 2*size.Depth)); left < 0 {
			return nil, &LimitError{"MemoryBytes", k.options.Limits.MemoryBytes, "the result"}
		}
		doc, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// files are kept in memory, and cannot be read any more when the context ends.
type files struct {
	filesys.FileSystem
	ctx context.Context
}

func (f *files) ReadFile(name string) ([]byte, error) {
	if f.ctx.Err() != nil {
		return nil, context.Cause(f.ctx)
	}
	return f.FileSystem.ReadFile(name)
}
