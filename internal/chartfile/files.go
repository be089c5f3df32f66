package chartfile

import (
	"encoding/base64"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/gobwas/glob"
	"helm.sh/helm/v3/pkg/chart"
	"sigs.k8s.io/yaml"
)

// files is what templates see as .Files. Its methods are Helm's; templates
// cannot change it.
type files map[string][]byte

func newFiles(from []*chart.File) files {
	f := make(files, len(from))
	for _, file := range from {
		f[file.Name] = file.Data
	}
	return f
}

// GetBytes gives a file's bytes, empty if there is no such file.
func (f files) GetBytes(name string) []byte {
	if data, ok := f[name]; ok {
		return data
	}
	return []byte{}
}

// Get gives a file's text, empty if there is no such file.
func (f files) Get(name string) string { return string(f.GetBytes(name)) }

// Glob gives the files whose names match; a broken pattern matches all.
func (f files) Glob(pattern string) files {
	g, err := glob.Compile(pattern, '/')
	if err != nil {
		g = glob.MustCompile("**")
	}
	matched := files{}
	for name, data := range f {
		if g.Match(name) {
			matched[name] = data
		}
	}
	return matched
}

// AsConfig gives the files as the data of a ConfigMap, in YAML.
func (f files) AsConfig() string {
	return f.flat(func(data []byte) string { return string(data) })
}

// AsSecrets gives the files as the data of a Secret, in YAML.
func (f files) AsSecrets() string { return f.flat(base64.StdEncoding.EncodeToString) }

func (f files) flat(encode func([]byte) string) string {
	if f == nil {
		return ""
	}
	m := make(map[string]string, len(f))
	// Of files with one base name the last path wins, so that the result does
	// not change from render to render.
	for _, name := range slices.Sorted(maps.Keys(f)) {
		m[path.Base(name)] = encode(f[name])
	}
	text, err := yaml.Marshal(m)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(text), "\n")
}

// Lines gives the lines of a file, without a last empty one.
func (f files) Lines(name string) []string {
	if len(f[name]) == 0 {
		return []string{}
	}
	return strings.Split(strings.TrimSuffix(string(f[name]), "\n"), "\n")
}
