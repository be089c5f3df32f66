package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is the result of one run.
type report struct {
	Go         string            `json:"go"`
	Kubernetes string            `json:"kubernetes"`
	CPUs       int               `json:"cpus"`
	Took       time.Duration     `json:"took"`
	Libraries  map[string]string `json:"libraries"`
	Goals      []goal            `json:"goals"`
	Rows       []row             `json:"rows"`
	Fleet      *fleetReport      `json:"fleet,omitempty"`
	Stacks     *fleetReport      `json:"stacks,omitempty"`
}

type row struct {
	*result
	Summary summary `json:"summary"`
	// Ratios are of the wall times of a peer of Fairlead's to each other peer's.
	Ratios map[string]ratio `json:"ratios,omitempty"`
}

func newRow(r *result) row { return row{result: r, Summary: r.summary()} }

// libraries are those whose versions are reported.
var libraries = [...]struct{ name, module string }{
	{helm3Name, "helm.sh/helm/v3"}, {helm4Name, "helm.sh/helm/v4"}, {fluxName, "github.com/fluxcd/pkg/ssa"}, {rawName, "k8s.io/client-go"},
}

func newReport(results []*result, kubernetes string, took time.Duration) *report {
	r := &report{Go: runtime.Version(), Kubernetes: kubernetes, CPUs: runtime.NumCPU(), Took: took, Libraries: map[string]string{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, l := range libraries {
			for _, d := range info.Deps {
				if d.Path == l.module {
					r.Libraries[l.name] = d.Version
				}
			}
		}
	}
	for _, result := range results {
		r.Rows = append(r.Rows, newRow(result))
	}
	for i := range r.Rows {
		r.Rows[i].Ratios = r.ratios(&r.Rows[i])
	}
	r.Goals = goals(r)
	return r
}

// find returns the row of a section, or nil if there is none.
func (r *report) find(section string, op operation, peer string) *row {
	for i := range r.Rows {
		if w := &r.Rows[i]; w.Section == section && w.Operation == op && w.Peer == peer && w.Error == "" && w.Summary.N > 0 {
			return w
		}
	}
	return nil
}

// failure returns why a peer's operation failed; empty if it did not.
func (r *report) failure(section string, op operation, peer string) string {
	for _, w := range r.Rows {
		if w.Section == section && w.Operation == op && w.Peer == peer && w.Error != "" {
			return w.Error
		}
	}
	return ""
}

// sections returns the sections in the order of their measurement.
func (r *report) sections() []string {
	var out []string
	for _, w := range r.Rows {
		if !slices.Contains(out, w.Section) {
			out = append(out, w.Section)
		}
	}
	return out
}

// operations returns those of a section in the order of their measurement.
func (r *report) operations(section string) []operation {
	var out []operation
	for _, w := range r.Rows {
		if w.Section == section && !slices.Contains(out, w.Operation) {
			out = append(out, w.Operation)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// peers returns those of a section in their order.
func (r *report) peers(section string) []string {
	var out []string
	for _, peer := range freshNames {
		if slices.ContainsFunc(r.Rows, func(w row) bool { return w.Section == section && w.Peer == peer }) {
			out = append(out, peer)
		}
	}
	return out
}

// write writes the page, the charts and the JSON.
func (r *report) write(folder string) error {
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	files := map[string]string{"benchmarks.json": string(data) + "\n"}
	var images strings.Builder
	for _, c := range r.charts() {
		files[c.file] = c.svg
		fmt.Fprintf(&images, "![%s](%s)\n\n", c.title, c.file)
	}
	files["benchmarks.md"] = r.page(images.String())
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
