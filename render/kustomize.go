package render

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigsyaml "sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/internal/kustomize"
)

// Kustomization is a kustomization as a source of its own, and as a
// [PostRenderer] over another. Immutable, safe for concurrent use; but kustomize
// keeps state for the whole process, so one is built at a time. Tenants of a
// [Budget] take turns at that, and what is built was weighed before.
type Kustomization struct {
	inner  *kustomize.Kustomization
	info   ChartInfo
	limits Limits
	share  *Share
}

// KustomizeOptions say what a kustomization may reach.
type KustomizeOptions struct {
	// Remote loads what a reference to a URL or a repository means:
	// "https://github.com/org/repo//base?ref=v1", "git@example.com:org/repo.git",
	// "https://example.com/crd.yaml". It returns a file system and the path in it
	// of the folder or file meant. What is loaded may refer to its own files and
	// to further remotes. It is called once for each reference, while loading and
	// from the goroutine that loads, with the context given there. Nil refuses
	// such references with a [*RemoteError].
	Remote func(ctx context.Context, ref string) (fsys fs.FS, name string, err error)
	// Limits on all files together, FileBytes, ChartBytes and Entries; on the
	// number of remote references, Depth; and on what is taken in by one build,
	// what several ways lead to counted as often and rendered objects included:
	// Entries, ResultBytes of text, MemoryBytes and Steps as estimated from the
	// number of objects and fields (the defaults allow about 2,200 objects).
	// Zero means safe limits.
	Limits Limits
	// Share is the tenant's share of a [Budget], of which loading takes its memory,
	// and PostRender where it is not part of a render. Nil: they wait for nothing.
	Share *Share
}

// LoadKustomization reads the kustomization in a folder of a file system ("."
// for its root), with all files of the file system, because it may refer to any.
// It is built in memory: no plugins and functions are run, and a reference to a
// URL or a repository is refused with a [*RemoteError].
func LoadKustomization(fsys fs.FS, dir string) (*Kustomization, error) {
	return LoadKustomizationWith(context.Background(), fsys, dir, KustomizeOptions{})
}

// LoadKustomizationWith is [LoadKustomization] with remote references and
// limits of the caller's. The context is handed on to opts.Remote.
func LoadKustomizationWith(ctx context.Context, fsys fs.FS, dir string, opts KustomizeOptions) (*Kustomization, error) {
	limits := opts.Limits.WithDefaults()
	ctx, release, err := opts.Share.Acquire(ctx, limits.MemoryBytes)
	if err != nil {
		return nil, &Error{Op: "load", File: dir, Err: err, Hint: budgetHint(err)}
	}
	defer release()
	b := &budget{ctx: ctx, limits: limits}
	files, err := b.readAll(fsys)
	if err != nil {
		return nil, loadError(err)
	}
	inside := kustomize.Options{Tenant: opts.Share.Tenant(), Limits: kustomize.Limits{
		Depth: b.limits.Depth, DocumentDepth: b.limits.DocumentDepth, Entries: b.limits.Entries,
		ResultBytes: b.limits.ResultBytes, MemoryBytes: b.limits.MemoryBytes, Steps: b.limits.Steps,
	}}
	if opts.Remote != nil {
		inside.Remote = func(ctx context.Context, ref string) ([]kustomize.File, string, error) {
			fsys, name, err := opts.Remote(ctx, ref)
			if err != nil {
				return nil, "", err
			}
			files, err := b.readAll(fsys)
			return plainFiles(files), name, err
		}
	}
	inner, err := kustomize.New(ctx, plainFiles(files), dir, inside)
	if err != nil {
		return nil, kustomizeError("load", dir, err)
	}
	for _, f := range inner.Loaded() {
		files = append(files, File(f))
	}
	info := ChartInfo{Name: "kustomization", Version: "0.0.0", Files: files, Digest: digest(files)}
	if base := path.Base(path.Clean(dir)); base != "." && base != "/" {
		info.Name = base
	}
	return &Kustomization{inner: inner, info: info, limits: b.limits, share: opts.Share}, nil
}

func plainFiles(files []File) []kustomize.File {
	inside := make([]kustomize.File, len(files))
	for i, f := range files {
		inside[i] = kustomize.File(f)
	}
	return inside
}

// kustomizeError gives the errors of the inner package the types of this one.
func kustomizeError(op, file string, err error) error {
	e := &Error{Op: op, File: file, Err: err, Hint: "correct the kustomization"}
	var remote *kustomize.RemoteError
	var tooMuch *kustomize.LimitError
	var refused *kustomize.Error
	switch {
	case errors.As(err, &remote):
		e.File, e.Err = remote.File, &RemoteError{File: remote.File, Ref: remote.Ref, Err: remote.Err}
		e.Hint = "put a copy into the file system and refer to that, or give KustomizeOptions.Remote"
		if remote.Err != nil {
			e.Hint = "look at what KustomizeOptions.Remote returns"
		}
	case errors.As(err, &tooMuch):
		e.Err = &LimitError{Limit: tooMuch.Limit, Max: tooMuch.Max, Subject: tooMuch.Subject}
		e.Hint = "if the kustomization is to be trusted, raise this limit in KustomizeOptions.Limits"
	case errors.As(err, &refused):
		e.File, e.Err, e.Hint = refused.File, refused.Err, refused.Hint
	case errors.As(err, new(*LimitError)), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Hint = "" // it did not end in time, or the caller gave up
	}
	return e
}

// Info returns name and files: the name is that of the folder.
func (k *Kustomization) Info() ChartInfo { return k.info }

// Render builds the kustomization. Values in the input are refused: there is
// nothing that would read them. Of the manifest's Files there is one, the whole
// result under the path of the kustomization.
func (k *Kustomization) Render(ctx context.Context, in Input) (*Manifest, error) {
	in, err := in.without("a kustomization")
	if err != nil {
		return nil, err
	}
	ctx, release, err := in.reserve(ctx)
	if err != nil {
		return nil, &Error{Op: "render", File: k.inner.File(), Err: err, Hint: budgetHint(err)}
	}
	defer release()
	ctx, cancel := withTime(ctx, in.Limits)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: "render", File: k.inner.File(), Err: ended(ctx)}
	}
	tenant, done := tenantOf(ctx)
	docs, err := k.inner.Build(ctx, kustomize.Request{Tenant: tenant, Done: done})
	if err != nil {
		return nil, kustomizeError("render", k.inner.File(), err)
	}
	text := "---\n" + string(bytes.Join(docs, []byte("---\n")))
	return plainManifests(ctx, k.info, map[string]string{k.inner.File(): text}, in)
}

// without refuses values, for sources that have no use for them.
func (in Input) without(what string) (Input, error) {
	if !in.Values.IsZero() || in.ChartValues != nil && !in.ChartValues.IsZero() {
		return in, &Error{Op: "render", Err: fmt.Errorf("%s takes no values", what), Hint: "leave Input.Values empty, or change objects with a post-renderer"}
	}
	return in.checked()
}

// plainManifests makes a manifest of texts that are no templates.
func plainManifests(ctx context.Context, info ChartInfo, files map[string]string, in Input) (*Manifest, error) {
	m := &Manifest{Files: files, Chart: info, Name: in.Name, Namespace: in.Namespace}
	if in.Capabilities != nil {
		m.Capabilities = *in.Capabilities
	}
	if err := m.parse(newParsing(ctx, in.Limits, in.Limits.account(ctx)), files, in); err != nil {
		return nil, err
	}
	if err := m.postRender(ctx, in.PostRenderScope, in.PostRender); err != nil {
		return nil, err
	}
	return m, nil
}

// Kustomize is a post-renderer: the kustomization in a folder of a file system,
// with the rendered objects as its first resources, so that its patches, images,
// labels and so on apply to them. What holds for [LoadKustomization] holds here;
// the file system is read once, at the first use.
func Kustomize(fsys fs.FS, dir string) PostRenderer {
	load := sync.OnceValues(func() (*Kustomization, error) { return LoadKustomization(fsys, dir) })
	return PostRenderFunc(func(ctx context.Context, objects []Object) ([]Object, error) {
		k, err := load()
		if err != nil {
			return nil, err
		}
		return k.PostRender(ctx, objects)
	})
}

// indexAnnotation remembers which object a result was made of.
const indexAnnotation = "fairlead.dev/rendered-object"

// PostRender builds the kustomization with the objects as its first resources.
// When ctx ends it returns at once, though kustomize itself cannot be stopped:
// what runs is let run to its end, and the next build waits for that.
func (k *Kustomization) PostRender(ctx context.Context, objects []Object) ([]Object, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended(ctx)
	}
	ctx, release, err := k.share.Acquire(ctx, k.limits.MemoryBytes)
	if err != nil {
		return nil, &Error{Op: "post-render", File: k.inner.File(), Err: err, Hint: budgetHint(err)}
	}
	defer release()
	var input bytes.Buffer
	for i, o := range objects {
		marked := o.DeepCopy()
		annotations := marked.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[indexAnnotation] = strconv.Itoa(i)
		marked.SetAnnotations(annotations)
		text, err := sigsyaml.Marshal(marked.Object)
		if err != nil {
			return nil, err
		}
		input.WriteString("---\n")
		input.Write(text)
	}
	tenant, done := tenantOf(ctx)
	docs, err := k.inner.Build(ctx, kustomize.Request{Tenant: tenant, Done: done, Objects: input.Bytes()})
	if err != nil {
		return nil, kustomizeError("post-render", k.inner.File(), err)
	}
	changed := make([]Object, 0, len(docs))
	decoder := k.limits.newDecoder()
	for _, doc := range docs {
		content, err := parseObject(decoder, string(doc))
		if err != nil {
			return nil, kustomizeError("post-render", k.inner.File(), err)
		}
		changed = append(changed, k.unmark(content, objects))
	}
	return changed, nil
}

// unmark takes the mark away, and gives back the text of an object that is as
// it was, comments and all.
func (k *Kustomization) unmark(content map[string]any, objects []Object) Object {
	o := Object{Unstructured: &unstructured.Unstructured{Object: content}, Source: k.inner.File()}
	annotations := o.GetAnnotations()
	i, err := strconv.Atoi(annotations[indexAnnotation])
	if err != nil || i < 0 || i >= len(objects) {
		return o
	}
	from := objects[i]
	o.Source = from.Source
	unstructured.RemoveNestedField(content, "metadata", "annotations", indexAnnotation)
	if len(annotations) == 1 {
		before, had, _ := unstructured.NestedMap(from.Object, "metadata", "annotations")
		if !had || len(before) > 0 {
			unstructured.RemoveNestedField(content, "metadata", "annotations")
		}
	}
	if reflect.DeepEqual(content, from.Object) {
		o.Text = from.Text
	}
	return o
}

func isManifest(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}
