package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/tools/clientcmd"
)

// setup is the first line that a measured process reads.
type setup struct {
	Peer       string `json:"peer"`
	Kubeconfig string `json:"kubeconfig"`
	InFlight   int    `json:"inFlight"`
	// CacheDir outlives the process, for peers that keep something on disk.
	CacheDir string `json:"cacheDir,omitempty"`
	// Program is the path of a peer that is a program of its own.
	Program string `json:"program,omitempty"`
}

// order is each further line: tasks to run at once, and the delay of a round
// trip. Render is set instead to measure rendering.
type order struct {
	Tasks  []task        `json:"tasks,omitempty"`
	Delay  time.Duration `json:"delay,omitempty"`
	Render *renderTask   `json:"render,omitempty"`
	// Workers is how many tasks of a fleet run at once; 0: all of them.
	Workers int `json:"workers,omitempty"`
}

// response is the line that is written for an order.
type response struct {
	Figures figures `json:"figures"`
	Error   string  `json:"error,omitempty"`
}

// child is the measured process: it runs orders until there are no more.
// The peer is created by the first order, as part of the measurement.
func child(in io.Reader, out io.Writer) error {
	idle := peakMemory()
	lines := bufio.NewReader(in)
	var s setup
	if err := readLine(lines, &s); err != nil {
		return err
	}
	var (
		counted traffic
		p       peer
		objects objectCache
		charts  = map[string]rendering{}
	)
	for {
		var o order
		if err := readLine(lines, &o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		counted.delay.Store(int64(o.Delay))
		for _, t := range o.Tasks {
			if s.Peer == fluxName || s.Peer == rawName {
				if _, err := objects.of(t); err != nil {
					return err
				}
			}
		}
		var restored []time.Duration
		f, err := measure(&counted, idle, func() (_ int, err error) {
			if o.Render != nil {
				return o.Render.do(context.Background(), s.Peer, charts)
			}
			if p == nil {
				config, err := clientcmd.BuildConfigFromFlags("", s.Kubeconfig)
				if err != nil {
					return 0, err
				}
				if s.Peer == watchingName {
					p, err = newWatching(counted.wrap(config), config)
				} else {
					p, err = newPeer(s, counted.wrap(config), &objects)
				}
				if err != nil {
					return 0, err
				}
			}
			if o.Workers > 0 {
				restored, err = doFleet(context.Background(), p, o.Tasks, o.Workers)
				return 0, err
			}
			return doAll(context.Background(), p, o.Tasks)
		})
		if program, ok := p.(outside); ok {
			program.cost(&f)
		}
		if o.Workers > 0 {
			f.Rest, f.Restored = restMemory(), restored
		}
		a := response{Figures: f}
		if err != nil {
			a.Error = err.Error()
		}
		line, err := json.Marshal(a)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
			return err
		}
	}
}

// doAll runs the tasks at once; count is the total.
func doAll(ctx context.Context, p peer, tasks []task) (int, error) {
	counts := make([]int, len(tasks))
	group, ctx := errgroup.WithContext(ctx)
	for i, t := range tasks {
		group.Go(func() (err error) {
			counts[i], err = p.do(ctx, t)
			return err
		})
	}
	err := group.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	return total, err
}

func readLine(in *bufio.Reader, into any) error {
	line, err := in.ReadBytes('\n')
	if err != nil {
		return err
	}
	return json.Unmarshal(line, into)
}
