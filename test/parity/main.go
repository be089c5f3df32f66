// Parity renders every chart below the folders given, folders with a Chart.yaml
// and packed ones, with their defaults and with each of their ci/*-values.yaml,
// by Helm and by this module, and compares the text of every template, what
// helm template prints, the notes, and whether and how it fails.
//
//	go run ./test/parity DIR...
//
// Dependencies that are missing in a chart are taken from the other charts of
// that name, if there are any. Random functions are seeded; where the output
// still differs from one render to the next, for keys, certificates, the order
// of maps and the clock, only shapes are compared. The number of these cases is
// printed. The exit code is 1 if there is a mismatch.
//
//go:debug cryptocustomrand=1
//go:debug randseednop=0
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"time"
)

func main() {
	verbose := flag.Bool("v", false, "print every case, with times")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: parity [-v] DIR...")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	log.SetOutput(io.Discard) // Helm's packages log warnings
	mismatches, err := run(context.Background(), os.Stdout, flag.Args(), *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "parity:", err)
		os.Exit(2)
	}
	if mismatches > 0 {
		os.Exit(1)
	}
}

func run(ctx context.Context, w io.Writer, roots []string, verbose bool) (mismatches int, err error) {
	var subjects []subject
	for _, root := range roots {
		found, err := find(root)
		if err != nil {
			return 0, err
		}
		subjects = append(subjects, found...)
	}
	near := neighbours{}
	for i := range subjects {
		near.add(&subjects[i])
	}
	var sum summary
	for i := range subjects {
		s := &subjects[i]
		near.vendor(s)
		if s.files != nil {
			sum.vendored++
		}
		sum.charts++
		for _, file := range slices.Concat([]string{""}, s.values) {
			r := compare(ctx, s, file)
			sum.add(r)
			if verbose && r.verdict == same {
				fmt.Fprintf(w, "same: %s %s: helm template %s, its engine %s; first %s, second %s\n", s.path, file, r.helm, r.helmEngine, r.first, r.again)
			}
			if r.verdict == mismatch || r.verdict == stricter || verbose && r.verdict != same {
				fmt.Fprintf(w, "%s: %s %s\n%s\n\n", r.verdict, s.path, file, r.text)
			}
		}
	}
	sum.print(w)
	return sum.verdicts[mismatch], nil
}

func (v verdict) String() string {
	return [...]string{"same", "both fail", "both refuse", "stricter", "MISMATCH"}[v]
}

// summary counts results.
type summary struct {
	charts, vendored, cases       int
	verdicts                      [mismatch + 1]int
	random, timed, byShape        int
	helm, first, again, justFiles time.Duration
	firstTimes, againTimes        []float64 // how many times faster
}

func (s *summary) add(r result) {
	s.cases++
	s.verdicts[r.verdict]++
	if r.verdict != same {
		return
	}
	for _, c := range []struct {
		is bool
		n  *int
	}{{r.random, &s.random}, {r.timed, &s.timed}, {r.byShape, &s.byShape}} {
		if c.is {
			*c.n++
		}
	}
	s.helm, s.first, s.again, s.justFiles = s.helm+r.helm, s.first+r.first, s.again+r.again, s.justFiles+r.helmEngine
	s.firstTimes = append(s.firstTimes, float64(r.helm)/float64(r.first))
	s.againTimes = append(s.againTimes, float64(r.helmEngine)/float64(r.again))
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "%d charts (%d with dependencies taken from the others), %d cases\n", s.charts, s.vendored, s.cases)
	fmt.Fprintf(w, "  same                    %5d\n", s.verdicts[same])
	fmt.Fprintf(w, "    naming random functions %3d, the clock %d; compared by shape %d\n", s.random, s.timed, s.byShape)
	fmt.Fprintf(w, "  both fail, same text    %5d\n", s.verdicts[bothFail])
	fmt.Fprintf(w, "  both refuse             %5d\n", s.verdicts[bothRefuse])
	fmt.Fprintf(w, "  only this one refuses   %5d\n", s.verdicts[stricter])
	fmt.Fprintf(w, "  MISMATCH                %5d\n", s.verdicts[mismatch])
	if len(s.firstTimes) == 0 {
		return
	}
	fmt.Fprintf(w, "times of what is the same\n")
	fmt.Fprintf(w, "  helm template           %8s, its engine alone %s\n", s.helm.Round(time.Millisecond), s.justFiles.Round(time.Millisecond))
	fmt.Fprintf(w, "  load and first render   %8s, median %.1f times faster than helm template\n", s.first.Round(time.Millisecond), median(s.firstTimes))
	fmt.Fprintf(w, "  second render           %8s, median %.1f times faster than Helm's engine\n", s.again.Round(time.Millisecond), median(s.againTimes))
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
