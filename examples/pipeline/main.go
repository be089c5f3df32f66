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
	"bytes"
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
	release                    engine.Release
	chart, kubeconfig, planKey string
	values                     []render.Layer
	in, out                    string
	timeout                    time.Duration
}

var errUsage = errors.New("usage: pipeline plan|apply [flags]; -h lists them")

func run(ctx context.Context, args []string, out io.Writer) (int, error) {
	if len(args) == 0 || args[0] != "plan" && args[0] != "apply" {
		return exitError, errUsage
	}
	s, err := parse(ctx, args[0], args[1:])
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
	if args[0] == "plan" {
		return plan(ctx, e, s, out)
	}
	err = apply(ctx, e, s, out)
	return exitCode(err), err
}

func parse(ctx context.Context, name string, args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.StringVar(&s.release.Namespace, "namespace", "default", "of the release")
	f.StringVar(&s.release.Name, "name", "", "of the release")
	f.StringVar(&s.chart, "chart", "", "folder, archive or oci:// address; empty: the built-in web app")
	f.Func("values", "values file; may be given again", func(v string) error { s.values = append(s.values, render.FromFile(v)); return nil })
	f.Func("set", "key=value; may be given again", func(v string) error { s.values = append(s.values, render.FromSet(v)); return nil })
	f.BoolVar(&s.release.Force, "force", false, "take fields from other field managers")
	f.BoolVar(&s.release.CreateNamespace, "create-namespace", false, "create the namespace if it does not exist")
	f.StringVar(&s.kubeconfig, "kubeconfig", "", "empty: as kubectl finds it")
	f.StringVar(&s.planKey, "plan-key", "", "file with the key of the plan's digests; empty: that of the release's newest revision")
	f.StringVar(&s.in, "in", "plan.json", "the plan to apply")
	f.StringVar(&s.out, "out", ".", "folder for plan.md and plan.json")
	f.DurationVar(&s.timeout, "timeout", engine.DefaultTimeout, "for readiness")
	err := f.Parse(args)
	if err != nil {
		return s, err
	}
	s.release.Source = charts.WebApp()
	if s.chart != "" {
		if s.release.Source, err = charts.Load(ctx, s.chart, charts.LoadOptions{}); err != nil {
			return s, err
		}
	}
	s.release.Values, err = render.MergeValues(s.values...)
	return s, err
}

// plan writes the plan, for reviewers and for apply.
func plan(ctx context.Context, e *engine.Engine, s settings, out io.Writer) (int, error) {
	p, err := e.Plan(ctx, s.release, engine.PlanOptions{})
	if err != nil {
		return exitError, err
	}
	var markdown bytes.Buffer
	data, err := json.MarshalIndent(p, "", "  ")
	if err := errors.Join(
		err, p.Report.WriteMarkdown(&markdown, diff.MarkdownOptions{}),
		os.WriteFile(filepath.Join(s.out, "plan.md"), markdown.Bytes(), 0o644),
		os.WriteFile(filepath.Join(s.out, "plan.json"), data, 0o644),
	); err != nil {
		return exitError, err
	}
	fmt.Fprintln(out, p.Report.Summary())
	for _, permission := range p.Missing {
		fmt.Fprintln(out, "applying takes the permission to", permission)
	}
	if p.Err() == nil && p.Changed() {
		return exitChanges, nil
	}
	return exitCode(p.Err()), p.Err()
}

// apply applies a plan that was written earlier, and nothing else.
func apply(ctx context.Context, e *engine.Engine, s settings, out io.Writer) error {
	data, err := os.ReadFile(s.in)
	if err != nil {
		return err
	}
	var p engine.Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return fmt.Errorf("%s: %w", s.in, err)
	}
	rev, err := e.Apply(ctx, &p, engine.ApplyOptions{Release: &s.release, Timeout: s.timeout})
	if err == nil {
		fmt.Fprintf(out, "revision %d is %s\n", rev.Revision, rev.Status)
	}
	return err
}

func exitCode(err error) int {
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, new(*engine.StalePlanError)):
		return exitStale
	case errors.As(err, new(*engine.ProblemsError)):
		return exitProblem
	}
	return exitError
}
