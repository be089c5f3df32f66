// Speed writes docs/rendering-speed.md from the output of go test -bench Render; make
// rendering-speed runs both.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

func main() {
	if err := write(os.Stdout, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "speed:", err)
		os.Exit(1)
	}
}

// cost is what one operation takes: nanoseconds, bytes, allocations.
type cost [3]float64

var line = regexp.MustCompile(`^BenchmarkRender/([\w.-]+)/([\w-]+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op`)

func write(w io.Writer, r io.Reader) error {
	runs := map[string][]cost{}
	var shapes []string
	machine := ""
	for s := bufio.NewScanner(r); s.Scan(); {
		if cpu, ok := strings.CutPrefix(s.Text(), "cpu: "); ok {
			machine = cpu
		}
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			continue
		}
		if !slices.Contains(shapes, m[1]) {
			shapes = append(shapes, m[1])
		}
		var c cost
		for i := range c {
			c[i], _ = strconv.ParseFloat(m[3+i], 64) // the expression lets only numbers in
		}
		runs[m[1]+" "+m[2]] = append(runs[m[1]+" "+m[2]], c)
	}
	if len(shapes) == 0 {
		return fmt.Errorf("no benchmarks on the standard input")
	}
	fmt.Fprintf(w, heading, machine, len(runs[shapes[0]+" helm"]))
	for _, shape := range shapes {
		for _, pair := range [][3]string{
			{"load and first render", "helm", "first"}, {"with all CRDs decoded", "helm", "first-whole"}, {"second render", "helm-again", "again"},
		} {
			if len(runs[shape+" "+pair[2]]) == 0 {
				continue
			}
			helm, own := median(runs[shape+" "+pair[1]]), median(runs[shape+" "+pair[2]])
			fmt.Fprintf(w, "| %s | %s | %.2f ms | %.2f ms | **%.1f** | %.0f | %.0f | %.0f KB | %.0f KB |\n", shape, pair[0],
				helm[0]/1e6, own[0]/1e6, helm[0]/own[0], helm[2], own[2], helm[1]/1e3, own[1]/1e3)
		}
	}
	return nil
}

func median(runs []cost) cost {
	var m cost
	for i := range m {
		var values []float64
		for _, r := range runs {
			values = append(values, r[i])
		}
		slices.Sort(values)
		if len(values) > 0 {
			m[i] = values[len(values)/2]
		}
	}
	return m
}

const heading = `# How fast rendering is

Made by ` + "`make rendering-speed`" + ` on %s; medians of %d runs. Generated charts: what ` + "`helm create`" + `
makes (small), an umbrella of thirty of these that read globals, one that renders nearly all through
` + "`tpl`" + `, one with ten CRDs of 100 KB below ` + "`crds/`" + ` and one with a single CRD of 1 MB (operator), and an
umbrella of 150 subcharts (wide). ` + "`BENCH_CHARTS=folder make rendering-speed`" + ` adds all charts of a folder.
On both sides a render begins with the values and ends with the objects and hooks separated and in order.
Helm's render does not read the CRDs below ` + "`crds/`" + `, and decodes them while it installs. Here the first one
checks all of their YAML; they are decoded when they are asked for (` + "`Input.DeferCRDs`" + `), or else by the
first render, as the rows with all CRDs decoded show, and shared by all later ones.

| Chart | | Helm 3 | here | times faster | allocations | here | bytes | here |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
`
