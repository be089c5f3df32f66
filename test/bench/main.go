// Command bench compares Fairlead with its alternatives: the SDKs of Helm 3 and
// Helm 4, the library of Flux's kustomize-controller, and plain server-side apply
// as the lower bound. All of them do the same work on the same API server in one
// run, each in a separate process, so that its CPU and memory can be measured;
// requests are counted at the transport.
//
//	make bench                         all of it, written to docs/benchmarks.md
//	make bench BENCH_CHARTS=DIR        and the rendering of each chart below DIR
//	make bench-fleet                   a thousand releases at once, into docs/fleet.md
//	go run . -only fresh -docs ""      sections whose name contains "fresh", printed only
//
// "bench child" is a measured process; the command starts them itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		if err := child(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	docs := flag.String("docs", "../../docs", "folder for benchmarks.md, benchmarks.json and the charts; empty: none")
	only := flag.String("only", "", "measure sections, and with -fleet peers, whose name contains this")
	repeats := flag.Int("repeats", 5, "repetitions, if the section's budget permits; rows that miss a goal get 15")
	scale := flag.Float64("scale", 1, "factor for the sections' budgets")
	charts := flag.String("charts", os.Getenv("BENCH_CHARTS"), "also render each chart below this folder")
	kapp := flag.String("kapp", "", "the program kapp, if it is to be measured")
	sizes := flag.String("fleet", "", "instead measure fleets of so many releases, such as 100,300,1000")
	verbose := flag.Bool("v", false, "print each operation as it is measured")
	flag.Parse()

	start := time.Now()
	root, err := os.MkdirTemp("", "fairlead-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	s := &session{root: root, out: os.Stderr, only: *only, verbose: *verbose, repeats: max(1, *repeats), scale: *scale, kapp: *kapp}
	if s.cluster, err = testcluster.Start(ctx, testcluster.Options{}); err != nil {
		return err
	}
	defer s.cluster.Stop()
	if s.client, err = kubernetes.NewForConfig(s.cluster.Config()); err != nil {
		return err
	}
	version, err := s.client.Discovery().ServerVersion()
	if err != nil {
		return err
	}
	if *sizes != "" {
		return s.runFleets(ctx, *sizes, version.GitVersion, *docs)
	}
	if err := s.measure(ctx, *charts); err != nil {
		return err
	}
	var fleet, stacks *fleetReport
	if strings.Contains("fleet", *only) {
		if fleet, err = s.fleets(ctx, fleetPeers, []int{50}, version.GitVersion); err != nil {
			return err
		}
	}
	if strings.Contains("stack", *only) {
		if stacks, err = s.fleets(ctx, []string{stackName}, []int{10, 25, 50}, version.GitVersion); err != nil {
			return err
		}
	}
	r := newReport(s.results, version.GitVersion, time.Since(start))
	r.Fleet, r.Stacks = fleet, stacks
	if *kapp != "" {
		if r.Libraries[kappName], err = kappVersion(*kapp); err != nil {
			return err
		}
	}
	fmt.Print(r.tables())
	if *docs == "" {
		return nil
	}
	return r.write(*docs)
}
