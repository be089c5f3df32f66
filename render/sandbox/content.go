package sandbox

import (
	"archive/zip"
	"bytes"
	"context"
	"io/fs"

	"github.com/fairlead-dev/fairlead/render"
)

// loadedSource is a source in the child.
type loadedSource interface {
	Info() render.ChartInfo
	Render(context.Context, render.Input) (*render.Manifest, error)
}

// load parses the source, in the child.
func (s sourceContent) load(ctx context.Context) (loadedSource, error) {
	loader := render.Loader{Limits: s.Limits}
	switch s.Kind {
	case kindArchive:
		return loader.Archive(ctx, bytes.NewReader(s.Archive))
	case kindKustomization:
		fsys, err := filesystem(s.Files)
		if err != nil {
			return nil, err
		}
		return render.LoadKustomizationWith(ctx, fsys, s.Dir, render.KustomizeOptions{Limits: s.Limits})
	case kindManifests:
		fsys, err := filesystem(s.Files)
		if err != nil {
			return nil, err
		}
		return render.LoadManifests(fsys)
	}
	return loader.Files(ctx, s.Files)
}

// filesystem has the files in memory. A zip archive is a file system.
func filesystem(files []render.File) (fs.FS, error) {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, f := range files {
		into, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err != nil {
			return nil, err
		}
		if _, err := into.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
}
