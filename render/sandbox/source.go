package sandbox

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/fairlead-dev/fairlead/render"
)

// Source is a chart, a kustomization or plain manifests, rendered in the children
// of its pool. It is immutable and safe for concurrent use.
type Source struct {
	pool    *Pool
	key     uint64
	content sourceContent
	info    render.ChartInfo
}

// LoadFS loads a chart as [render.LoadFS] does. The files are read in this process
// and parsed in a child.
func (p *Pool) LoadFS(ctx context.Context, fsys fs.FS) (*Source, error) {
	files, err := p.loader().ReadChart(fsys)
	if err != nil {
		return nil, err
	}
	return p.LoadFiles(ctx, files)
}

// LoadFiles loads a chart as [render.LoadFiles] does.
func (p *Pool) LoadFiles(ctx context.Context, files []render.File) (*Source, error) {
	return p.load(ctx, sourceContent{Kind: kindChart, Files: files})
}

// LoadArchive loads a packaged chart as [render.LoadArchive] does. It is unpacked
// in a child.
func (p *Pool) LoadArchive(ctx context.Context, r io.Reader) (*Source, error) {
	most := p.options.Limits.ArchiveBytes
	var archive bytes.Buffer
	if r == nil {
		return nil, &render.Error{Op: "load", Err: errors.New("no reader given"), Hint: "give a packaged chart"}
	}
	if _, err := archive.ReadFrom(io.LimitReader(r, max(most, most+1))); err != nil {
		return nil, &render.Error{Op: "load", Err: err, Hint: "fetch the archive again"}
	}
	if int64(archive.Len()) > most {
		return nil, &render.Error{Op: "load", Err: &render.LimitError{Limit: "ArchiveBytes", Max: most, Subject: "the archive"}}
	}
	return p.load(ctx, sourceContent{Kind: kindArchive, Archive: archive.Bytes()})
}

// LoadKustomization loads a kustomization as [render.LoadKustomization] does. It
// refuses remote references.
func (p *Pool) LoadKustomization(ctx context.Context, fsys fs.FS, dir string) (*Source, error) {
	files, err := p.loader().ReadTree(fsys)
	if err != nil {
		return nil, err
	}
	return p.load(ctx, sourceContent{Kind: kindKustomization, Files: files, Dir: dir})
}

// LoadManifests loads plain manifests as [render.LoadManifests] does.
func (p *Pool) LoadManifests(ctx context.Context, fsys fs.FS) (*Source, error) {
	files, err := p.loader().ReadTree(fsys)
	if err != nil {
		return nil, err
	}
	return p.load(ctx, sourceContent{Kind: kindManifests, Files: files})
}

func (p *Pool) loader() render.Loader { return render.Loader{Limits: p.options.Limits} }

func (p *Pool) load(ctx context.Context, content sourceContent) (*Source, error) {
	content.Limits = p.options.Limits
	s := &Source{pool: p, key: p.keys.Add(1), content: content}
	err := p.call(ctx, "load", "", content.Limits.Time, func(_ context.Context, w *worker) error {
		info, err := w.load(s, true)
		if err == nil && info == nil {
			err = &brokenError{errNoSuchMessage}
		}
		if err == nil {
			s.info = *info
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Info returns name, version and files, as the child has read them.
func (s *Source) Info() render.ChartInfo { return s.info }
