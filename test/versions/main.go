// Command versions runs the tests that touch a cluster on the control plane of
// each version of Kubernetes that test/cluster has, and writes docs/versions.md.
//
//	versions                 every version
//	versions -only 1.34      one of them; the figures of the others stay
//	versions -run TestPlans  some of the tests, without writing the page
//
// A version is upgraded to the next one, the last to that of the test cluster, by
// the tests that are about that.
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
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

// packages are those whose tests depend on the version of the API server.
var packages = []string{"./engine", "./charts", "./internal/merge"}

// result is one run of all tests.
type result struct {
	Version string `json:"version"` // such as v1.34.2
	Next    string `json:"next"`    // the version that it is upgraded to
	Passed  int    `json:"passed"`
	// Skipped are the tests without subtests of their own that were skipped, with
	// the reason of each.
	Skipped map[string]string `json:"skipped,omitempty"`
	// Failed are the names of those that failed.
	Failed []string `json:"failed,omitempty"`
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
	var results []result
	for i, version := range versions {
		if *only != "" && version != *only {
			continue
		}
		next := ""
		if i+1 < len(versions) {
			next = versions[i+1]
		}
		r, err := test(ctx, cluster, version, next, *tests)
		if err != nil {
			return fmt.Errorf("on Kubernetes %s: %w", version, err)
		}
		fmt.Printf("Kubernetes %s: %d passed, %d skipped, %d failed %s\n", r.Version, r.Passed, len(r.Skipped), len(r.Failed), strings.Join(r.Failed, " "))
		results = append(results, r)
	}
	if len(results) == 0 {
		return fmt.Errorf("there is no control plane of version %q; there are %s", *only, strings.Join(versions, ", "))
	}
	if *tests == "" {
		err = write(results)
	}
	if slices.ContainsFunc(results, func(r result) bool { return len(r.Failed) > 0 }) {
		err = errors.Join(err, errors.New("tests failed"))
	}
	return err
}

// test runs the tests on a cluster with the control plane of a version. Those that
// upgrade it have that of next; empty: the test cluster's own.
func test(ctx context.Context, cluster, version, next, pattern string) (result, error) {
	controlPlane, err := testcluster.BuildControlPlane(ctx, version, os.Stderr)
	if err != nil {
		return result{}, err
	}
	upgraded := cluster
	if next != "" {
		if upgraded, err = testcluster.BuildControlPlane(ctx, next, os.Stderr); err != nil {
			return result{}, err
		}
	}
	args := append([]string{"exec", "-control-plane", controlPlane, "--", "go", "test", "-json", "-count=1", "-timeout=60m", "-run=" + pattern}, packages...)
	cmd := exec.CommandContext(ctx, cluster, args...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "FAIRLEAD_TEST_NEXT_CONTROL_PLANE="+upgraded)
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
	if err == nil && r.Passed+len(r.Skipped)+len(r.Failed) == 0 {
		err = ended
	}
	if err != nil {
		return r, err
	}
	if r.Version, err = testcluster.KubernetesVersion(version); err == nil {
		r.Next, err = testcluster.KubernetesVersion(next)
	}
	return r, err
}

// event is a line of go test -json.
type event struct{ Action, Package, Test, Output string }

// count reads the outcomes of tests. One with subtests counts as those do.
func count(in io.Reader) (result, error) {
	r := result{Skipped: map[string]string{}}
	outcomes, reasons := map[string]string{}, map[string]string{}
	var broken []string // packages
	output := map[string]*strings.Builder{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		pkg := e.Package[strings.LastIndex(e.Package, "/")+1:]
		if e.Test == "" {
			if e.Action == "fail" {
				broken = append(broken, pkg)
			}
			continue
		}
		name := pkg + "." + e.Test
		switch e.Action {
		case "pass", "skip", "fail":
			outcomes[name] = e.Action
			if e.Action == "fail" && output[name] != nil {
				fmt.Fprintln(os.Stderr, output[name])
			}
			if e.Action == "skip" && output[name] != nil {
				reasons[name] = reason(output[name].String())
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
			r.Skipped[name] = reasons[name]
		default:
			r.Passed++
		}
	}
	for _, pkg := range broken { // a panic, or a build that failed, is no test's own
		if !slices.ContainsFunc(r.Failed, func(name string) bool { return strings.HasPrefix(name, pkg+".") }) {
			r.Failed = append(r.Failed, pkg)
		}
	}
	return r, lines.Err()
}

// reason is the message of a test that was skipped.
func reason(output string) string {
	for line := range strings.Lines(output) {
		if m := skipped.FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return ""
}

var skipped = regexp.MustCompile(`^\s+\S+_test\.go:\d+: (.*)`)
