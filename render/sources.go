package render

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// Manifests are plain YAML files as a source of their own. Immutable, safe for
// concurrent use.
type Manifests struct {
	info ChartInfo
}

// LoadManifests reads all .yaml, .yml and .json files of a file system, at any
// depth, but for files and folders whose names begin with a dot.
func LoadManifests(fsys fs.FS) (*Manifests, error) {
	files, err := (&budget{ctx: context.Background(), limits: Limits{}.WithDefaults()}).readAll(fsys)
	if err != nil {
		return nil, loadError(err)
	}
	files = slices.DeleteFunc(files, func(f File) bool { return !isManifest(f.Name) })
	if len(files) == 0 {
		return nil, &Error{Op: "load", Err: errors.New("no manifests"), Hint: "give a folder with files that end in .yaml, .yml or .json"}
	}
	return &Manifests{ChartInfo{Name: "manifests", Version: "0.0.0", Files: files, Digest: digest(files)}}, nil
}

// Info returns the files.
func (m *Manifests) Info() ChartInfo { return m.info }

// Render gives the files' objects, hooks by the same annotations as in charts.
// Values in the input are refused: there is nothing that would read them.
func (m *Manifests) Render(ctx context.Context, in Input) (*Manifest, error) {
	in, err := in.without("plain manifests")
	if err != nil {
		return nil, err
	}
	ctx, release, err := in.reserve(ctx)
	if err != nil {
		return nil, &Error{Op: "render", Err: err, Hint: budgetHint(err)}
	}
	defer release()
	ctx, cancel := withTime(ctx, in.Limits)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, &Error{Op: "render", Err: ended(ctx)}
	}
	files := make(map[string]string, len(m.info.Files))
	for _, f := range m.info.Files {
		files[f.Name] = string(f.Data)
	}
	manifest, err := plainManifests(ctx, m.info, files, in)
	return manifest, asWritten(err)
}

// readAll reads all files but those whose names, or folders' names, begin with
// a dot, sorted by name.
func (b *budget) readAll(fsys fs.FS) ([]File, error) {
	if fsys == nil {
		return nil, &Error{Op: "load", Err: errors.New("no file system given"), Hint: "give os.DirFS of the folder"}
	}
	var files []File
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return &Error{Op: "load", File: name, Err: unwrapPath(err), Hint: "check that the folder can be read"}
		}
		if name != "." && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.IsDir() {
			return b.entry(name)
		}
		if !entry.Type().IsRegular() {
			return &Error{Op: "load", File: name, Err: errors.New("not a regular file"), Hint: "put a copy in place of a link"}
		}
		data, err := readFile(fsys, name, nil, b.limits.FileBytes)
		if err != nil {
			return err
		}
		if err := b.take(name, int64(len(data))); err != nil {
			return err
		}
		files = append(files, File{name, data})
		return nil
	})
	slices.SortFunc(files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return files, err
}
