package render

import (
	"context"
	"errors"
	"io"
	"io/fs"
)

func (c *Chart) render(ctx context.Context, in Input) (*Manifest, error) {
	return nil, errors.ErrUnsupported
}

// FS loads a chart as [LoadFS] does, within the limits.
func (l Loader) FS(fsys fs.FS) (*Chart, error) { return nil, errors.ErrUnsupported }

// Archive loads a packaged chart as [LoadArchive] does, within the limits.
func (l Loader) Archive(r io.Reader) (*Chart, error) { return nil, errors.ErrUnsupported }
