package render

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// FS loads a chart as [LoadFS] does, within the limits.
func (l Loader) FS(ctx context.Context, fsys fs.FS) (*Chart, error) {
	b, release, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	files, err := b.readFS(fsys, l.FollowLinks)
	if err != nil {
		return nil, loadError(err)
	}
	return b.load(files)
}

// Archive loads a packaged chart as [LoadArchive] does, within the limits. It keeps
// its memory of the share while it reads: download first what comes slowly.
func (l Loader) Archive(ctx context.Context, r io.Reader) (*Chart, error) {
	b, release, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	files, err := b.readArchive(r, "the archive")
	if err != nil {
		return nil, loadError(err)
	}
	return b.load(files)
}

// LoadFiles loads a chart from its raw files, those of [ChartInfo].Files for
// example. No .helmignore is applied.
func LoadFiles(files []File) (*Chart, error) {
	return Loader{}.Files(context.Background(), files)
}

// Files loads a chart as [LoadFiles] does, within the limits.
func (l Loader) Files(ctx context.Context, files []File) (*Chart, error) {
	b, release, err := l.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	inside := make([]chartfile.File, len(files))
	for i, f := range files {
		if err := checkName(f.Name); err != nil {
			return nil, loadError(err)
		}
		if err := b.take(f.Name, int64(len(f.Data))); err != nil {
			return nil, loadError(err)
		}
		inside[i] = chartfile.File{Name: f.Name, Data: bytes.Clone(f.Data)}
	}
	return b.load(inside)
}

// begin waits for the memory that loading takes of the share.
func (l Loader) begin(ctx context.Context) (b *budget, release func(), err error) {
	limits := l.Limits.WithDefaults()
	ctx, release, err = l.Share.Acquire(ctx, limits.MemoryBytes)
	if err != nil {
		return nil, nil, &Error{Op: "load", Err: err, Hint: budgetHint(err)}
	}
	return &budget{ctx: ctx, limits: limits}, release, nil
}

func loadError(err error) error {
	var of *chartfile.Error
	if errors.As(err, &of) {
		if limit := yamlLimit(of.Err); limit != nil {
			of.Err, of.Hint = limit, aliasHint
		}
		return &Error{Op: "load", Chart: of.Chart, File: path.Join(of.Chart, of.File), Line: of.Line, Hint: of.Hint, Err: of.Err}
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	var tooMuch *LimitError
	if errors.As(err, &tooMuch) {
		return &Error{Op: "load", Err: err, Hint: limitHint(tooMuch.Limit)}
	}
	return &Error{Op: "load", Err: err}
}

// limitHint says where a limit is raised.
func limitHint(name string) string {
	return "if you trust the chart, raise " + name + " in the Limits of the call"
}

// budgetHint says what to do where a budget has no room for one call.
func budgetHint(err error) string {
	if errors.As(err, new(*LimitError)) {
		return "give the Budget more bytes, or the call smaller Limits.MemoryBytes"
	}
	return ""
}

// budget counts what is read of a chart, over its packed subcharts too.
type budget struct {
	ctx     context.Context
	limits  Limits
	bytes   int64
	entries int
	depth   int
}

func (b *budget) entry(name string) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	b.entries++
	if b.entries > b.limits.Entries {
		return &LimitError{Limit: "Entries", Max: int64(b.limits.Entries), Subject: name}
	}
	return nil
}

// take counts one more file.
func (b *budget) take(name string, size int64) error {
	if err := b.entry(name); err != nil {
		return err
	}
	if size > b.limits.FileBytes {
		return &LimitError{Limit: "FileBytes", Max: b.limits.FileBytes, Subject: name}
	}
	b.bytes += size
	if b.bytes > b.limits.ChartBytes {
		return &LimitError{Limit: "ChartBytes", Max: b.limits.ChartBytes, Subject: name}
	}
	return nil
}

var utf8BOM = []byte{0xEF, 0xBB, 0xBF}

func (b *budget) load(files []chartfile.File) (*Chart, error) {
	parsed, err := chartfile.Parse(files, chartfile.ParseOptions{
		YAML: b.limits.newDecoder(), Depth: b.limits.Depth,
		TooDeep: func(name string) error {
			return &LimitError{Limit: "Depth", Max: int64(b.limits.Depth), Subject: name}
		},
		Unpack: func(name string, data []byte) ([]chartfile.File, error) {
			return b.readArchive(bytes.NewReader(data), name)
		},
	})
	if err != nil {
		return nil, loadError(err)
	}
	m := parsed.Metadata()
	info := ChartInfo{
		Name: m.Name, Version: m.Version, AppVersion: m.AppVersion, Description: m.Description,
		Home: m.Home, Icon: m.Icon, KubeVersion: m.KubeVersion, Deprecated: m.Deprecated, Annotations: m.Annotations,
	}
	for _, f := range files {
		info.Files = append(info.Files, File(f))
	}
	slices.SortStableFunc(info.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	info.Files = slices.Clip(info.Files)
	return &Chart{info: info, parsed: parsed, digest: sync.OnceValue(func() string { return digest(info.Files) })}, nil
}

func digest(files []File) string {
	sum := sha256.New()
	var size [8]byte
	for _, f := range files {
		for _, part := range [][]byte{[]byte(f.Name), f.Data} {
			binary.BigEndian.PutUint64(size[:], uint64(len(part)))
			sum.Write(size[:])
			sum.Write(part)
		}
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}
