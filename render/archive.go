package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

const archiveHint = "a packed chart is a gzipped tar of one folder, as helm package makes it"

// readArchive unpacks a gzipped tar, the first folder of each name taken away.
func (b *budget) readArchive(r io.Reader, name string) ([]chartfile.File, error) {
	if r == nil {
		return nil, &Error{Op: "load", File: name, Err: errors.New("no reader given"), Hint: archiveHint}
	}
	b.depth++
	defer func() { b.depth-- }()
	if b.depth > b.limits.Depth {
		return nil, &LimitError{Limit: "Depth", Max: int64(b.limits.Depth), Subject: name}
	}
	packed := &counter{r: r, most: b.limits.ArchiveBytes, subject: name}
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, b.archiveError(packed, name, err)
	}
	defer unzipped.Close()
	plain := &counter{r: unzipped, most: int64(1)<<62 - 1, subject: name, check: func(read int64) error {
		// Small archives of blank text pack very well and do no harm.
		if read > 1<<20 && read/int64(b.limits.Ratio) > packed.read {
			return &LimitError{Limit: "Ratio", Max: int64(b.limits.Ratio), Subject: name}
		}
		return nil
	}}
	var files []chartfile.File
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, b.archiveError(packed, name, errors.Join(err, plain.err))
		}
		file, ok, err := b.readEntry(archive, header)
		if err != nil {
			var broken *brokenEntry
			if errors.As(err, &broken) {
				return nil, b.archiveError(packed, name, errors.Join(broken.err, plain.err))
			}
			return nil, err
		}
		if ok {
			files = append(files, file)
		}
	}
	// The sum at the end of the archive is only looked at when all is read.
	if _, err := io.Copy(io.Discard, plain); err != nil && !errors.Is(err, gzip.ErrHeader) {
		return nil, b.archiveError(packed, name, errors.Join(err, plain.err))
	}
	if len(files) == 0 {
		return nil, &Error{Op: "load", File: name, Err: errors.New("no files in the archive"), Hint: archiveHint}
	}
	return files, nil
}

// brokenEntry is a read error inside of an entry.
type brokenEntry struct{ err error }

func (e *brokenEntry) Error() string { return e.err.Error() }
func (e *brokenEntry) Unwrap() error { return e.err }

func (b *budget) readEntry(archive *tar.Reader, header *tar.Header) (chartfile.File, bool, error) {
	none := chartfile.File{}
	if header.FileInfo().IsDir() {
		return none, false, b.entry(header.Name)
	}
	switch header.Typeflag {
	case tar.TypeXGlobalHeader, tar.TypeXHeader:
		return none, false, b.entry(header.Name)
	case tar.TypeReg:
	default:
		return none, false, &Error{Op: "load", File: header.Name, Err: errors.New("the archive holds a link or a device"), Hint: "pack a copy in place of a link"}
	}
	inside, err := entryName(header.Name)
	if err != nil {
		return none, false, err
	}
	if err := b.take(header.Name, header.Size); err != nil {
		return none, false, err
	}
	// The size is bounded by take, and the tar reader ends where the header
	// says. The buffer grows with what is really there.
	var data bytes.Buffer
	if _, err := io.Copy(&data, archive); err != nil {
		return none, false, &brokenEntry{err}
	}
	return chartfile.File{Name: inside, Data: bytes.TrimPrefix(data.Bytes(), utf8BOM)}, true, nil
}

var drivePath = regexp.MustCompile(`^[a-zA-Z]:/`)

// entryName is the path inside of the chart for one inside of the archive.
func entryName(name string) (string, error) {
	refused := func(why string) (string, error) {
		return "", &Error{Op: "load", File: name, Err: errors.New(why), Hint: "do not use this archive before you know who packed it"}
	}
	// Archives made on Windows may have backslashes.
	slashed := name
	if strings.Contains(name, `\`) {
		slashed = strings.ReplaceAll(name, `\`, "/")
	}
	first, inside, found := strings.Cut(slashed, "/")
	if first == "Chart.yaml" {
		return "", &Error{Op: "load", File: name, Err: errors.New("the archive holds Chart.yaml outside of a folder"), Hint: archiveHint}
	}
	if !found {
		return refused("the archive holds a file outside of the chart's folder")
	}
	if path.IsAbs(inside) || drivePath.MatchString(inside) {
		return refused("the archive holds an absolute path")
	}
	inside = path.Clean(inside)
	if inside == "." {
		return refused("the archive holds a file outside of the chart's folder")
	}
	if strings.HasPrefix(inside, "..") {
		return refused("the archive holds a path that leaves the chart's folder")
	}
	if strings.ContainsRune(inside, 0) {
		return refused("the archive holds a path with a zero byte")
	}
	return inside, nil
}

func (b *budget) archiveError(packed *counter, name string, err error) error {
	var tooMuch *LimitError
	switch {
	case errors.As(err, &tooMuch):
		return tooMuch
	case packed.err != nil && packed.err != io.EOF:
		return &Error{Op: "load", File: name, Err: fmt.Errorf("cannot read the archive: %w", packed.err), Hint: "fetch it again"}
	case errors.Is(err, gzip.ErrHeader):
		return &Error{Op: "load", File: name, Err: fmt.Errorf("not a gzipped archive: %w", err), Hint: archiveHint}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return &Error{Op: "load", File: name, Err: fmt.Errorf("the archive is cut off: %w", err), Hint: "fetch it again"}
	}
	return &Error{Op: "load", File: name, Err: fmt.Errorf("broken archive: %w", err), Hint: "fetch it again; " + archiveHint}
}

// counter counts and bounds what is read, and keeps the error that ended it.
type counter struct {
	r       io.Reader
	read    int64
	most    int64
	subject string
	check   func(read int64) error
	err     error
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read += int64(n)
	if c.read > c.most {
		err = &LimitError{Limit: "ArchiveBytes", Max: c.most, Subject: c.subject}
	} else if c.check != nil {
		if breach := c.check(c.read); breach != nil {
			err = breach
		}
	}
	if err != nil {
		c.err = err
	}
	return n, err
}
