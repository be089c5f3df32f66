// Command versions runs the tests that touch a cluster on the control plane of
// each version of Kubernetes that test/cluster has, and writes docs/versions.md.
//
//	versions                 every version
//	versions -only 1.34      one of them, without writing the page
//	versions -run TestPlans  some of the tests, without writing the page
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"text/template"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// packages are those whose tests depend on the version of the API server.
var packages = []string{"./engine", "./charts", "./internal/merge"}

const page = "docs/versions.md"

// result is one run of all tests.
type result struct {
	Version string // such as v1.34.2
	Passed  int
	Skipped int
	Failed  []string // names of tests without subtests of their own that failed
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "versions:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	only := flag.String("only", "", "one `version`; empty: all")
	tests := flag.String("run", "", "`pattern` of tests, as go test has it; empty: all")
	flag.Parse()
	versions, err := testcluster.Versions()
	if err != nil {
		return err
	}
	cluster, err := testcluster.Build(ctx, os.Stderr)
	if err != nil {
		return err
	}
	if *only != "" {
		versions = []string{*only}
	}
	var results []result
	for _, version := range versions {
		controlPlane, err := testcluster.BuildControlPlane(ctx, version, os.Stderr)
		if err != nil {
			return err
		}
		r, err := test(ctx, cluster, controlPlane, version, *tests)
		if err != nil {
			return fmt.Errorf("on Kubernetes %s: %w", version, err)
		}
		fmt.Printf("Kubernetes %s: %d passed, %d skipped, %d failed %s\n", r.Version, r.Passed, r.Skipped, len(r.Failed), strings.Join(r.Failed, " "))
		results = append(results, r)
	}
	if *only == "" && *tests == "" {
		err = write(results)
	}
	if slices.ContainsFunc(results, func(r result) bool { return len(r.Failed) > 0 }) {
		err = errors.Join(err, errors.New("tests failed"))
	}
	return err
}

// test runs the tests on a cluster with the control plane.
func test(ctx context.Context, cluster, controlPlane, version, pattern string) (result, error) {
	args := append([]string{"exec", "-control-plane", controlPlane, "--", "go", "test", "-json", "-count=1", "-timeout=60m", "-run=" + pattern}, packages...)
	cmd := exec.CommandContext(ctx, cluster, args...)
	cmd.Env = append(os.Environ(), "GOWORK=off")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	r, err := count(out)
	ended := cmd.Wait() // which is an error if tests failed, too
	if err == nil && r.Passed+r.Skipped+len(r.Failed) == 0 {
		err = ended
	}
	if err == nil {
		r.Version, err = testcluster.KubernetesVersion(version)
	}
	return r, err
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// count reads the outcomes of tests. One with subtests counts as those do.
func count(in io.Reader) (result, error) {
	var r result
	outcomes := map[string]string{}
	output := map[string]*strings.Builder{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" {
			continue
		}
		name := e.Package[strings.LastIndex(e.Package, "/")+1:] + "." + e.Test
		switch e.Action {
		case "pass", "skip", "fail":
			outcomes[name] = e.Action
			if e.Action == "fail" && output[name] != nil {
				fmt.Fprintln(os.Stderr, output[name])
			}
			delete(output, name)
		case "output":
			if output[name] == nil {
				output[name] = &strings.Builder{}
			}
			output[name].WriteString(e.Output)
		}
	}
	parents := map[string]bool{}
	for name := range outcomes {
		for i := strings.LastIndex(name, "/"); i > 0; i = strings.LastIndex(name[:i], "/") {
			parents[name[:i]] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		switch {
		case parents[name]:
		case outcomes[name] == "fail":
			r.Failed = append(r.Failed, name)
		case outcomes[name] == "skip":
			r.Skipped++
		default:
			r.Passed++
		}
	}
	return r, lines.Err()
}

var text = template.Must(template.New("").Parse(`# Versions of Kubernetes

All tests run on the version of the test cluster, see test/cluster/go.mod. Those of the engine, of charts
and of merging were run on these control planes as well, each built from Kubernetes' own modules:
` + "`make test-versions`" + ` does it again and writes this page, and ` + "`make cluster VERSION=1.34`" + ` runs
one. To add another version see test/cluster/README.md.

| Kubernetes | Passed | Skipped | Failed |
| --- | --- | --- | --- |
{{ range . }}| {{ .Version }} | {{ .Passed }} | {{ .Skipped }} | {{ len .Failed }} |
{{ end }}
{{- range . }}{{ if .Failed }}
Failed on {{ .Version }}: {{ range $i, $t := .Failed }}{{ if $i }}, {{ end }}` + "`{{ $t }}`" + `{{ end }}.
{{ end }}{{ end }}`))

func write(results []result) (err error) {
	f, err := os.Create(page)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return text.Execute(f, results)
}
