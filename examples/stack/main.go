// Stack deploys a platform of six releases to two clusters: definitions, a
// database, a cache, a backend, a frontend, and an edge on the second cluster. It
// compares environments, plans what is not known yet, applies it, and takes the
// whole stack back after a failure in the middle.
//
// It starts two test clusters side by side.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/progress"
	"github.com/fairlead-dev/fairlead/engine/stack"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/render"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	fmt.Fprintln(out, "Starting two Kubernetes control planes on this machine")
	if _, err := testcluster.Build(ctx, os.Stderr); err != nil {
		return err
	}
	clusters, stop, err := start(ctx, 2)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var engines []*engine.Engine
	for _, c := range clusters {
		e, err := engine.New(c.Config(), engine.Options{})
		if err != nil {
			return err
		}
		engines = append(engines, e)
	}
	view := progress.New(out, progress.Options{})
	defer view.Close()
	return story(ctx, out, view, engines[0], engines[1])
}

// start starts clusters at once. stop ends all of them.
func start(ctx context.Context, n int) (clusters []*testcluster.Cluster, stop func() error, err error) {
	clusters = make([]*testcluster.Cluster, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { clusters[i], errs[i] = testcluster.Start(ctx, testcluster.Options{Nodes: 1}) })
	}
	wg.Wait()
	stop = func() error {
		var errs []error
		for _, c := range clusters {
			if c != nil {
				errs = append(errs, c.Stop())
			}
		}
		return errors.Join(errs...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, nil, errors.Join(err, stop())
	}
	return clusters, stop, nil
}

// story compares, plans, applies, fails and goes back.
func story(ctx context.Context, out io.Writer, view *progress.View, main, edge *engine.Engine) error {
	step := func(format string, args ...any) { fmt.Fprintf(out, "\n== "+format+"\n\n", args...) }

	step("What differs between dev and production, and staging and production, without a cluster")
	for _, e := range []environment{dev, staging} {
		if err := compare(ctx, out, e, production, main, edge); err != nil {
			return err
		}
	}

	step("The plan of production: nothing is there yet, so addresses are not known")
	shop, err := platform(production, main, edge, nil)
	if err != nil {
		return err
	}
	plan, err := shop.Plan(ctx, stack.PlanOptions{})
	if err != nil {
		return err
	}
	if err := plan.WriteText(out, diff.TextOptions{}); err != nil {
		return err
	}

	step("Apply it: each release once what it needs is ready, on both clusters")
	if _, err := shop.Apply(ctx, plan, stack.ApplyOptions{OnEvent: view.OnStackEvent}); err != nil {
		return err
	}

	step("Version 2.0 of backend and frontend; the backend crashes, and the stack goes back")
	next, err := platform(production, main, edge, map[string]render.Layer{
		"backend":  render.FromMap("release 2.0", map[string]any{"tag": "2.0", "podBehaviour": "crash-loop"}),
		"cache":    render.FromMap("release 2.0", map[string]any{"memory": "1gb"}),
		"frontend": render.FromMap("release 2.0", map[string]any{"tag": "2.0"}),
	})
	if err != nil {
		return err
	}
	if plan, err = next.Plan(ctx, stack.PlanOptions{}); err != nil {
		return err
	}
	if err := plan.WriteText(out, diff.TextOptions{}); err != nil {
		return err
	}
	_, err = next.Apply(ctx, plan, stack.ApplyOptions{
		OnEvent: view.OnStackEvent, OnFailure: stack.TakeBack, Cause: "version 2.0",
		FailurePolicy: engine.FailurePolicy{CrashLoop: 2 * time.Second, CrashRestarts: 1},
	})
	var failed *stack.ApplyError
	if !errors.As(err, &failed) {
		return fmt.Errorf("version 2.0 did not fail: %w", err)
	}
	fmt.Fprintf(out, "\nfailed: %s; taken back: %v\n", failed.Failed[0].Member, failed.TakenBack)

	step("The stack as it is now")
	status, err := shop.Status(ctx)
	if err != nil {
		return err
	}
	fmt.Fprint(out, status)
	if !status.Ready {
		return errors.New("the stack is not ready")
	}
	return nil
}

func compare(ctx context.Context, out io.Writer, from, to environment, main, edge *engine.Engine) error {
	a, err := platform(from, main, edge, nil)
	if err != nil {
		return err
	}
	b, err := platform(to, main, edge, nil)
	if err != nil {
		return err
	}
	c, err := stack.Compare(ctx, a, b)
	if err != nil {
		return err
	}
	return c.WriteText(out, diff.TextOptions{})
}
