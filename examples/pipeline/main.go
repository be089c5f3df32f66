// Pipeline plans a release in one process and applies exactly this plan in
// another one: a build writes plan.md, to be reviewed in the pull request, and
// plan.json, which is applied once it is approved.
//
//	pipeline plan  -namespace shop -name web -set image.tag=1.29 -out out
//	pipeline apply -namespace shop -name web -set image.tag=1.29 -in out/plan.json
//
// The first process needs permission to read only. The second one can be killed
// and run again: it goes on with the same plan, and does nothing once that is
// applied.
//
// Whoever can change plan.json decides nothing: apply names the release that it
// is for, and refuses a plan that is not what would be planned now. With
// -plan-key, a file of 32 random bytes or more that both steps can read, that
// holds for all that a first install hides, too.
//
// Its exit code is 0 on success and, for plan, if nothing would change; 2 if
// something would; 3 if conflicts or other problems prevent applying, or
// permissions that apply lacks; 4 if the plan is stale; 1 for any other error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/fairlead-dev/fairlead/charts"
	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

const (
	exitFine    = 0
	exitError   = 1
	exitChanges = 2
	exitProblem = 3
	exitStale   = 4
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code, err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

// settings are the flags of both steps.
type settings struct {
	key        engine.Key
	chart      string
	values     []string
	set        []string
	force      bool
	create     bool
	kubeconfig string
	planKey    string
	in, out    string
	timeout    time.Duration
}

var errUsage = errors.New("usage: pipeline plan|apply [flags]; -h lists them")

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	if len(args) == 0 {
		return exitError, errUsage
	}
	s, err := parse(args[0], args[1:])
	if err != nil {
		return exitError, err
	}
	flags := genericclioptions.NewConfigFlags(true)
	if s.kubeconfig != "" {
		flags.KubeConfig = &s.kubeconfig
	}
	var opts engine.Options
	if s.planKey != "" {
		if opts.PlanKey, err = os.ReadFile(s.planKey); err != nil {
			return exitError, err
		}
	}
	e, err := engine.NewFromGetter(flags, opts)
	if err != nil {
		return exitError, err
	}
	r, err := s.release(ctx)
	if err != nil {
		return exitError, err
	}
	switch args[0] {
	case "plan":
		return plan(ctx, e, r, s, out)
	case "apply":
		return apply(ctx, e, r, s, out)
	}
	return exitError, errUsage
}

func parse(name string, args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.StringVar(&s.key.Namespace, "namespace", "default", "of the release")
	f.StringVar(&s.key.Name, "name", "", "of the release")
	f.StringVar(&s.chart, "chart", "", "folder, archive or oci:// address; empty: the built-in web app")
	f.Func("values", "values file; may be given again", func(v string) error { s.values = append(s.values, v); return nil })
	f.Func("set", "key=value; may be given again", func(v string) error { s.set = append(s.set, v); return nil })
	f.BoolVar(&s.force, "force", false, "take fields from other field managers")
	f.BoolVar(&s.create, "create-namespace", false, "create the namespace if it does not exist")
	f.StringVar(&s.kubeconfig, "kubeconfig", "", "empty: as kubectl finds it")
	f.StringVar(&s.planKey, "plan-key", "", "file with the key of the plan's digests; empty: that of the release's newest revision")
	f.StringVar(&s.in, "in", "plan.json", "the plan to apply")
	f.StringVar(&s.out, "out", ".", "folder for plan.md and plan.json")
	f.DurationVar(&s.timeout, "timeout", engine.DefaultTimeout, "for readiness")
	return s, f.Parse(args)
}

func (s settings) release(ctx context.Context) (engine.Release, error) {
	chart := charts.WebApp()
	if s.chart != "" {
		var err error
		if chart, err = charts.Load(ctx, s.chart, charts.LoadOptions{}); err != nil {
			return engine.Release{}, err
		}
	}
	var layers []render.Layer
	for _, path := range s.values {
		layers = append(layers, render.FromFile(path))
	}
	for _, expr := range s.set {
		layers = append(layers, render.FromSet(expr))
	}
	values, err := render.MergeValues(layers...)
	return engine.Release{Key: s.key, Source: chart, Values: values, Force: s.force, CreateNamespace: s.create}, err
}

// plan writes the plan, for reviewers and for apply.
func plan(ctx context.Context, e *engine.Engine, r engine.Release, s settings, out io.Writer) (int, error) {
	p, err := e.Plan(ctx, r, engine.PlanOptions{})
	if err != nil {
		return exitError, err
	}
	if err := write(filepath.Join(s.out, "plan.md"), func(w io.Writer) error {
		return p.Report.WriteMarkdown(w, diff.MarkdownOptions{})
	}); err != nil {
		return exitError, err
	}
	if err := write(filepath.Join(s.out, "plan.json"), func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(p)
	}); err != nil {
		return exitError, err
	}
	fmt.Fprintln(out, p.Report.Summary())
	for _, permission := range p.Missing {
		fmt.Fprintln(out, "applying takes the permission to", permission)
	}
	switch {
	case p.Err() != nil:
		return exitProblem, p.Err()
	case p.Changed():
		return exitChanges, nil
	}
	return exitFine, nil
}

func write(path string, content func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}

// apply applies a plan that was written earlier, and nothing else.
func apply(ctx context.Context, e *engine.Engine, r engine.Release, s settings, out io.Writer) (int, error) {
	data, err := os.ReadFile(s.in)
	if err != nil {
		return exitError, err
	}
	var p engine.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return exitError, fmt.Errorf("%s: %w", s.in, err)
	}
	rev, err := e.Apply(ctx, &p, engine.ApplyOptions{Release: &r, Timeout: s.timeout})
	var stale *engine.StalePlanError
	var problems *engine.ProblemsError
	switch {
	case errors.As(err, &stale):
		return exitStale, err
	case errors.As(err, &problems):
		return exitProblem, err
	case err != nil:
		return exitError, err
	}
	fmt.Fprintf(out, "revision %d is %s\n", rev.Revision, rev.Status)
	return exitFine, nil
}
