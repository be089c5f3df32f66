package render

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

const ignoreFile = ".helmignore"

// readFS reads the files of a chart that its .helmignore does not leave out.
func (b *budget) readFS(fsys fs.FS, followLinks bool) ([]chartfile.File, error) {
	if fsys == nil {
		return nil, &Error{Op: "load", Err: errors.New("no file system given"), Hint: "give os.DirFS of the chart's folder, or fs.Sub of an embed.FS"}
	}
	r := dirReader{budget: b, fsys: fsys, followLinks: followLinks}
	top, err := fs.Stat(fsys, ".")
	if err != nil {
		return nil, unreadable(".", err)
	}
	entries, err := r.list(".")
	if err != nil {
		return nil, err
	}
	if err := r.readIgnore(entries); err != nil {
		return nil, err
	}
	err = r.dir(".", entries, []fs.FileInfo{top})
	if err == nil && slices.Contains(r.ignored, "Chart.yaml") {
		err = &Error{Op: "load", File: ignoreFile, Err: errors.New("it leaves out Chart.yaml"), Hint: "remove the pattern; by Helm's rules one that begins with ! leaves out whatever does not match it, and brings back nothing"}
	}
	return r.files, err
}

// dirReader reads a tree of files, with or without following links.
type dirReader struct {
	*budget
	fsys        fs.FS
	followLinks bool
	ignore      chartfile.Ignore
	patterns    int64    // in .helmignore, each of which is matched with each file
	matched     int64    // so often
	ignored     []string // files at the top
	files       []chartfile.File
}

func unreadable(name string, err error) error {
	return &Error{Op: "load", File: name, Err: unwrapPath(err), Hint: "check that this is the chart's folder and can be read"}
}

func (r *dirReader) list(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(r.fsys, dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	return entries, nil
}

// readIgnore reads .helmignore if there is one.
func (r *dirReader) readIgnore(entries []fs.DirEntry) (err error) {
	var text []byte
	for _, entry := range entries {
		if entry.Name() != ignoreFile {
			continue
		}
		info, err := r.info(ignoreFile, entry)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return irregular(ignoreFile, info)
		}
		if text, err = readFile(r.fsys, ignoreFile, info, r.limits.FileBytes); err != nil {
			return err
		}
	}
	r.patterns = int64(bytes.Count(text, []byte("\n"))) + 1
	var line int
	if r.ignore, line, err = chartfile.ParseIgnore(text); err != nil {
		return &Error{Op: "load", File: ignoreFile, Line: line, Err: err, Hint: "patterns are those of a shell, one a line, without **"}
	}
	return nil
}

// info returns what an entry is, or what it leads to where links are followed.
func (r *dirReader) info(name string, entry fs.DirEntry) (fs.FileInfo, error) {
	info, err := entry.Info()
	if err == nil && r.followLinks && info.Mode()&fs.ModeSymlink != 0 {
		info, err = fs.Stat(r.fsys, name)
	}
	if err != nil {
		return nil, &Error{Op: "load", File: name, Err: unwrapPath(err), Hint: "check that the file can be read, and that a link stays inside the folder that links may lead into"}
	}
	return info, nil
}

// dir reads a directory. Above are the directories that it lies in, and itself:
// links may lead in a circle.
func (r *dirReader) dir(dir string, entries []fs.DirEntry, above []fs.FileInfo) error {
	for _, entry := range entries {
		name := path.Join(dir, entry.Name())
		own, err := entry.Info()
		if err != nil {
			return unreadable(name, err)
		}
		if r.matched += r.patterns; r.matched > r.limits.Steps {
			return &LimitError{Limit: "Steps", Max: r.limits.Steps, Subject: ignoreFile}
		}
		if r.leftOut(name, own) {
			continue
		}
		info, err := r.info(name, entry)
		if err != nil {
			return err
		}
		if info.Mode() != own.Mode() && r.leftOut(name, info) {
			continue
		}
		switch {
		case info.IsDir():
			if err := r.subdirectory(name, info, above); err != nil {
				return err
			}
		case !info.Mode().IsRegular():
			return irregular(name, info)
		default:
			if err := r.file(name, info); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *dirReader) leftOut(name string, info fs.FileInfo) bool {
	if !r.ignore.Ignores(name, info) {
		return false
	}
	if name == "Chart.yaml" {
		r.ignored = append(r.ignored, name)
	}
	return true
}

func (r *dirReader) subdirectory(name string, info fs.FileInfo, above []fs.FileInfo) error {
	if err := r.entry(name); err != nil {
		return err
	}
	for _, seen := range above {
		if os.SameFile(seen, info) {
			return &Error{Op: "load", File: name, Err: errors.New("the link leads to a folder that it lies in"), Hint: "remove the link"}
		}
	}
	entries, err := r.list(name)
	if err != nil {
		return err
	}
	return r.dir(name, entries, append(slices.Clip(above), info))
}

func (r *dirReader) file(name string, info fs.FileInfo) error {
	if err := r.take(name, info.Size()); err != nil {
		return err
	}
	data, err := readFile(r.fsys, name, info, r.limits.FileBytes)
	if err != nil {
		return err
	}
	if grown := int64(len(data)) - info.Size(); grown > 0 {
		r.bytes += grown
	}
	r.files = append(r.files, chartfile.File{Name: name, Data: bytes.TrimPrefix(data, utf8BOM)})
	return nil
}

func irregular(name string, info fs.FileInfo) error {
	e := &Error{Op: "load", File: name, Err: errors.New("not a regular file"), Hint: "remove it, or name it in .helmignore"}
	if info.Mode()&fs.ModeSymlink != 0 {
		e.Err, e.Hint = errors.New("not a regular file but a link"), "put a copy in place of the link, name it in .helmignore, or allow links: Loader.FollowLinks, or LoadOptions.LinkRoot of charts.Load"
	}
	return e
}

// readFile reads a regular file of at most so many bytes. It is checked once it
// is open, so that nothing can be put in its place after the check; seen is what
// was there before, nil if that does not matter.
func readFile(fsys fs.FS, name string, seen fs.FileInfo, most int64) ([]byte, error) {
	failed := func(err error) ([]byte, error) {
		return nil, &Error{Op: "load", File: name, Err: unwrapPath(err), Hint: "check that the file can be read"}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return failed(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return failed(err)
	}
	// Only files of the operating system can be compared: others differ from themselves.
	if !info.Mode().IsRegular() || seen != nil && os.SameFile(seen, seen) && !os.SameFile(seen, info) {
		return nil, &Error{Op: "load", File: name, Err: errors.New("it was replaced while it was read"), Hint: "load the chart again once nothing writes to its folder"}
	}
	// With room for the read that sees the end, it does not grow.
	b := bytes.NewBuffer(make([]byte, 0, min(max(info.Size(), 0), most, firstRead)+bytes.MinRead))
	if _, err := b.ReadFrom(io.LimitReader(f, saturated(most))); err != nil {
		return failed(err)
	}
	data := b.Bytes()
	if int64(len(data)) > most {
		return nil, &LimitError{Limit: "FileBytes", Max: most, Subject: name}
	}
	return data, nil
}

// firstRead bounds what is allocated for a file before it is read: a file system may
// claim any size.
const firstRead = 4 << 20

// saturated is one more, unless there is none.
func saturated(n int64) int64 { return max(n, n+1) }

func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." {
		return &Error{Op: "load", File: name, Err: fmt.Errorf("%q is not a path inside the chart", name), Hint: "do not use this chart before you know who packed it"}
	}
	return nil
}
