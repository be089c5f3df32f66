package render

import (
	"context"
	"errors"
	"io/fs"
)

// Kustomization is a kustomization as a source of its own. Safe for concurrent
// use.
type Kustomization struct{}

// LoadKustomization reads the kustomization in a folder of a file system, with
// all that it refers to in there.
func LoadKustomization(fsys fs.FS, dir string) (*Kustomization, error) {
	return nil, errors.ErrUnsupported
}

// Render builds the kustomization.
func (k *Kustomization) Render(ctx context.Context, in Input) (*Manifest, error) {
	return nil, errors.ErrUnsupported
}

// Manifests are plain YAML files as a source of their own. Safe for concurrent
// use.
type Manifests struct{}

// LoadManifests reads all .yaml, .yml and .json files of a file system, at any
// depth.
func LoadManifests(fsys fs.FS) (*Manifests, error) { return nil, errors.ErrUnsupported }

// Render gives the files' objects.
func (m *Manifests) Render(ctx context.Context, in Input) (*Manifest, error) {
	return nil, errors.ErrUnsupported
}

// Kustomize is a post-renderer: the kustomization in the folder, over the
// rendered objects as further resources.
func Kustomize(fsys fs.FS, dir string) PostRenderer {
	return PostRenderFunc(func(context.Context, []Object) ([]Object, error) { return nil, errors.ErrUnsupported })
}
