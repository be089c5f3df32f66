package render

import (
	"context"
	"io/fs"
)

// ReadChart returns the files that [Loader.FS] would load, within the limits and
// without parsing any but .helmignore: for [Loader.Files] of another process. It
// takes nothing of the share.
func (l Loader) ReadChart(fsys fs.FS) ([]File, error) {
	files, err := (&budget{ctx: context.Background(), limits: l.Limits.WithDefaults()}).readFS(fsys, l.FollowLinks)
	if err != nil {
		return nil, loadError(err)
	}
	read := make([]File, len(files))
	for i, f := range files {
		read[i] = File(f)
	}
	return read, nil
}

// ReadTree returns the files that [LoadKustomization] and [LoadManifests] would
// read, within the limits and without parsing any. It takes nothing of the share.
func (l Loader) ReadTree(fsys fs.FS) ([]File, error) {
	files, err := (&budget{ctx: context.Background(), limits: l.Limits.WithDefaults()}).readAll(fsys)
	if err != nil {
		return nil, loadError(err)
	}
	return files, nil
}
