package render

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

// Chart is a loaded chart with its subcharts. It is immutable, its templates
// are compiled once, and it may be used by any number of goroutines at once.
type Chart struct {
	info   ChartInfo     // without Digest
	digest func() string // Info().Digest
	parsed *chartfile.Chart
	sets   compiledSets
	// defaults keeps the indexes of the charts' own values files, for origins.
	defaults sync.Map
	crds     parsedCRDs
}

// ChartInfo describes a chart. Files and Annotations are shared: read-only.
type ChartInfo struct {
	Name        string            `json:"name,omitempty"`
	Version     string            `json:"version,omitempty"`
	AppVersion  string            `json:"appVersion,omitempty"`
	Description string            `json:"description,omitempty"`
	Home        string            `json:"home,omitempty"`
	Icon        string            `json:"icon,omitempty"`
	KubeVersion string            `json:"kubeVersion,omitempty"`
	Deprecated  bool              `json:"deprecated,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	// Digest is "sha256:" and the hex sum over the names and contents of Files,
	// sorted by name: equal charts have equal digests, however they are packed.
	Digest string `json:"digest,omitempty"`
	// Files are the chart's raw files, sorted by name, with subcharts as they
	// came: enough to load the chart again.
	Files []File `json:"files,omitempty"`
}

// File is a file of a chart.
type File struct {
	// Name is its path inside the chart, with forward slashes.
	Name string `json:"name"`
	Data []byte `json:"data"`
}

// Info returns name, version and files of the chart.
func (c *Chart) Info() ChartInfo {
	info := c.info
	if c.digest != nil { // else the zero Chart
		info.Digest = c.digest()
	}
	info.Annotations = maps.Clone(info.Annotations)
	return info
}

// Loader loads charts within limits. The zero value has safe ones.
type Loader struct {
	Limits Limits
	// FollowLinks follows symbolic links in a file system, as far as that does:
	// [os.Root.FS] keeps them inside of its root, os.DirFS does not. False: a
	// link that .helmignore does not name is an error.
	FollowLinks bool
	// Share is the tenant's share of a [Budget], of which loading takes
	// Limits.MemoryBytes until the chart is loaded. Nil: nothing waits.
	Share *Share
}

// LoadFS loads a chart from a file system with Chart.yaml at its root: an
// embed.FS, os.DirFS, or any other. The file .helmignore is honoured; links and
// other irregular files are refused.
func LoadFS(fsys fs.FS) (*Chart, error) { return Loader{}.FS(context.Background(), fsys) }

// LoadArchive loads a packaged chart: a gzipped tar whose one folder is the
// chart. Nothing is written to disk.
func LoadArchive(r io.Reader) (*Chart, error) { return Loader{}.Archive(context.Background(), r) }

// Render renders the chart. It reports the first failure: an [*Error], a
// [*SchemaError], a [*DuplicateError] or a [*LimitError], and no manifest. It
// ends early when ctx does.
func (c *Chart) Render(ctx context.Context, in Input) (*Manifest, error) {
	return c.render(ctx, in)
}
