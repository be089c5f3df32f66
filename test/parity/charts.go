package main

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"

	"github.com/fairlead-dev/fairlead/render"
)

// subject is a chart on disk.
type subject struct {
	path   string
	values []string // files of ci/
	// files are those of a chart with added dependencies, nil for one that is
	// read from its path.
	files []render.File
}

// find returns the charts below a folder, sorted by path.
func find(root string) ([]subject, error) {
	var subjects []subject
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "Chart.yaml":
			s := subject{path: filepath.Dir(p)}
			if s.values, err = filepath.Glob(filepath.Join(s.path, "ci", "*-values.yaml")); err != nil {
				return err
			}
			subjects = append(subjects, s)
		case strings.HasSuffix(d.Name(), ".tgz"):
			subjects = append(subjects, subject{path: p})
		}
		return nil
	})
	return subjects, err
}

// load loads the chart with the renderer's own loader.
func (s *subject) load() (*render.Chart, error) {
	if s.files != nil {
		return render.LoadFiles(s.files)
	}
	if !strings.HasSuffix(s.path, ".tgz") {
		return render.LoadFS(os.DirFS(s.path))
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return nil, err
	}
	return render.LoadArchive(bytes.NewReader(data))
}

// loadHelm loads it with Helm's, as helm template does.
func (s *subject) loadHelm() (*chart.Chart, error) {
	if s.files == nil {
		return loader.Load(s.path)
	}
	files := make([]*loader.BufferedFile, len(s.files))
	for i, f := range s.files {
		files[i] = &loader.BufferedFile{Name: f.Name, Data: f.Data}
	}
	return loader.LoadFiles(files)
}

// neighbour is a chart that other charts may depend on.
type neighbour struct {
	files   []render.File
	missing []string // dependencies that are not in its charts/
}

// neighbours returns the charts of all folders by name.
type neighbours map[string]neighbour

func (n neighbours) add(s *subject) {
	if own, name, ok := s.neighbour(); ok {
		n[name] = own
	}
}

func (s *subject) neighbour() (own neighbour, name string, ok bool) {
	c, err := s.load()
	if err != nil {
		return own, "", false
	}
	h, err := s.loadHelm()
	if err != nil {
		return own, "", false
	}
	own.files = c.Info().Files
	for _, d := range h.Metadata.Dependencies {
		if !slices.ContainsFunc(h.Dependencies(), func(sub *chart.Chart) bool { return sub.Name() == d.Name }) {
			own.missing = append(own.missing, d.Name)
		}
	}
	return own, h.Name(), true
}

// vendor adds the dependencies that are missing in a chart's charts/, if the
// neighbours have charts of these names.
func (n neighbours) vendor(s *subject) {
	own, name, ok := s.neighbour()
	if !ok {
		return
	}
	if files, added := n.complete(own, []string{name}); added {
		s.files = files
	}
}

func (n neighbours) complete(own neighbour, above []string) (all []render.File, added bool) {
	all = slices.Clone(own.files)
	for _, name := range own.missing {
		sub, known := n[name]
		if !known || slices.Contains(above, name) {
			continue
		}
		inside, _ := n.complete(sub, append(above, name))
		for _, f := range inside {
			all = append(all, render.File{Name: path.Join("charts", name, f.Name), Data: f.Data})
		}
		added = true
	}
	return all, added
}
