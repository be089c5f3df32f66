package charts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
	"github.com/fairlead-dev/fairlead/render"
)

// ErrOutside is returned when a dependency lies in a local directory, or has a scheme, that LoadOptions does not allow.
var ErrOutside = errors.New("not allowed by LoadOptions")

// openFlags open without waiting: a pipe that no one writes to would block for ever. What was opened is checked to be a
// regular file, so that nothing can be put in its place after the check.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK

// getPath loads a chart from the local file system. It returns its directory, "" for a packaged chart.
func (l *loading) getPath(ctx context.Context, from source) (*render.Chart, string, error) {
	var root *os.Root // nil: any path, because the caller named it
	name := from.ref
	if from.root != "" {
		var err error
		if name, err = filepath.Rel(from.root, from.ref); err != nil {
			return nil, "", err
		}
		if root, err = openRoot(from.root); err != nil {
			return nil, "", err
		}
		defer root.Close()
	}
	file, info, err := openLocal(root, name)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	if info.IsDir() {
		chart, err := l.loadDir(ctx, root, name, from)
		return chart, from.ref, err
	}
	if !info.Mode().IsRegular() {
		return nil, "", fmt.Errorf("%s is neither a directory nor a regular file", from.ref)
	}
	archive := &fetch.Archive{Name: filepath.Base(from.ref)}
	limit := l.opts.Limits.WithDefaults().ArchiveBytes
	if archive.Data, err = readLocal(ctx, file, limit); err != nil {
		return nil, "", err
	}
	if l.keyring != nil {
		if archive.Provenance, err = readProvenance(ctx, root, name+".prov"); err != nil {
			return nil, "", err
		}
	}
	chart, err := l.open(ctx, archive)
	return chart, "", err
}

// loadDir loads a chart from a directory, of which nothing is read through a link, or with LoadOptions.LinkRoot nothing
// that is not below that.
func (l *loading) loadDir(ctx context.Context, root *os.Root, name string, from source) (*render.Chart, error) {
	if l.keyring != nil {
		return nil, fmt.Errorf("%w: a directory has no signature, only a packaged chart has", ErrProvenance)
	}
	loader := l.loader()
	if l.opts.LinkRoot != "" {
		if inside, ok := below(l.opts.LinkRoot, from.ref); ok {
			wide, err := openRoot(l.opts.LinkRoot)
			if err != nil {
				return nil, err
			}
			defer wide.Close()
			loader.FollowLinks = true
			return loader.FS(ctx, localFS{ctx, wide, filepath.ToSlash(inside)})
		}
		if from.root == "" {
			return nil, fmt.Errorf("%s is not below LoadOptions.LinkRoot, %s", from.ref, l.opts.LinkRoot)
		}
	}
	var dir *os.Root
	var err error
	if root == nil {
		dir, err = openRoot(name)
	} else {
		dir, err = root.OpenRoot(name)
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return loader.FS(ctx, localFS{ctx, dir, "."})
}

// openRoot opens a directory. The dot keeps it from waiting for anything that is none.
func openRoot(dir string) (*os.Root, error) {
	return os.OpenRoot(filepath.Clean(dir) + string(filepath.Separator) + ".")
}

func openLocal(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	var file *os.File
	var err error
	if root == nil {
		file, err = os.OpenFile(name, openFlags, 0)
	} else {
		file, err = root.OpenFile(name, openFlags, 0)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

func readProvenance(ctx context.Context, root *os.Root, name string) ([]byte, error) {
	file, info, err := openLocal(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return readLocal(ctx, file, fetch.MaxProvenance)
}

// readLocal reads an open file within a limit, until the context ends.
func readLocal(ctx context.Context, file *os.File, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(readUntil{ctx, file}, max(limit, limit+1)))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &render.LimitError{Limit: "ArchiveBytes", Max: limit, Subject: file.Name()}
	}
	return data, nil
}

type readUntil struct {
	ctx context.Context
	r   io.Reader
}

func (r readUntil) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// localFS is a directory below a root that no link leads out of, read until the context ends.
type localFS struct {
	ctx  context.Context
	root *os.Root
	dir  string // with forward slashes, below the root
}

// Open opens a file, without waiting for it.
func (l localFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	file, err := l.root.OpenFile(filepath.FromSlash(path.Join(l.dir, name)), openFlags, 0)
	if err != nil {
		return nil, err
	}
	return localFile{file, l.ctx}, nil
}

// Stat follows links inside the root.
func (l localFS) Stat(name string) (fs.FileInfo, error) {
	return l.root.Stat(filepath.FromSlash(path.Join(l.dir, name)))
}

type localFile struct {
	*os.File
	ctx context.Context
}

func (f localFile) Read(p []byte) (int, error) { return readUntil{f.ctx, f.File}.Read(p) }

// below returns the path of a file from a directory, if it lies in it by its name.
func below(dir, file string) (string, bool) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return "", false
	}
	inside, err := filepath.Abs(file)
	if err != nil {
		return "", false
	}
	relative, err := filepath.Rel(absolute, inside)
	return relative, err == nil && filepath.IsLocal(relative)
}

// dependencyPath returns the path of a file:// dependency of a chart in a directory, and the root that it lies in: the
// directory of the chart that is loaded, or one that LoadOptions names.
func (l *loading) dependencyPath(dir, ref string) (file, root string, err error) {
	if file = ref; !filepath.IsAbs(ref) {
		file = filepath.Join(dir, ref)
	}
	for _, root := range append([]string{l.dir}, l.opts.DependencyRoots...) {
		if _, ok := below(root, file); ok {
			absolute, err := filepath.Abs(root)
			if err != nil {
				return "", "", err
			}
			file, err = filepath.Abs(file)
			return file, absolute, err
		}
	}
	return "", "", fmt.Errorf("%s lies outside of the chart: %w, which has to name a directory around it in DependencyRoots", ref, ErrOutside)
}

// allowedScheme checks that dependencies may be loaded by a scheme.
func (l *loading) allowedScheme(scheme string) error {
	allowed := l.opts.DependencySchemes
	if allowed == nil {
		allowed = []string{"oci", "https", "http", "file"} // whether http is, UnsafePlainHTTP decides
	}
	for _, a := range allowed {
		if a == scheme {
			return nil
		}
	}
	return fmt.Errorf("scheme %s: %w, whose DependencySchemes do not name it", scheme, ErrOutside)
}
