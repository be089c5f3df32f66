package main

import (
	"fmt"
	"time"
)

// fleetCheck is a goal for one row of a fleet of any size. Zero: no bound.
type fleetCheck struct {
	peer     string
	op       operation
	time     time.Duration // of each release
	cpu      time.Duration // of each release
	requests float64       // of each release; negative: none
	restored time.Duration // of 99 of 100 edits
	peak     int64         // bytes, of 1000 releases
}

var fleetChecks = []fleetCheck{
	{peer: fairleadName, op: opInstallWait, time: 45 * time.Millisecond, requests: 16},
	{peer: passesName, op: opInstallWait, time: 45 * time.Millisecond, requests: 16},
	{peer: watchingName, op: opInstallWait, time: 45 * time.Millisecond, requests: 16, peak: 150e6},
	{peer: passesName, op: opNone, requests: 6},
	{peer: watchingName, op: opAgain, cpu: 500 * time.Microsecond, requests: -1},
	{peer: passesName, op: opChange, requests: 14},
	{peer: watchingName, op: opChange, requests: 14},
	{peer: watchingName, op: opDrift, restored: time.Second},
}

// goals judges the rows of each size.
func (r *fleetReport) goals() []goal {
	var out []goal
	for _, c := range fleetChecks {
		for _, w := range r.Rows {
			if w.Peer == c.peer && w.Operation == c.op {
				out = append(out, c.judge(w)...)
			}
		}
	}
	return out
}

func (c fleetCheck) judge(w fleetRow) []goal {
	var out []goal
	add := func(wanted, found string, holds bool) {
		if w.Error != "" {
			found, holds = "failed", false
		}
		out = append(out, goal{Wanted: fmt.Sprintf("%d releases, %s: %s: %s", w.Releases, w.Peer, w.Operation, wanted), Found: found, Holds: holds})
	}
	f, each := w.Figures, float64(w.Releases)
	if c.time > 0 {
		most := c.time * time.Duration(w.Releases)
		add("≤ "+seconds(most), seconds(f.Wall), f.Wall <= most)
	}
	if c.cpu > 0 {
		cpu := time.Duration(float64(f.CPU) / each)
		add("≤ "+seconds(c.cpu)+" of CPU each", seconds(cpu), cpu <= c.cpu)
	}
	requests := float64(f.total()) / each
	switch {
	case c.requests < 0:
		add("no request", fmt.Sprintf("%d requests", f.total()), f.total() == 0)
	case c.requests > 0:
		add(fmt.Sprintf("≤ %.0f requests each", c.requests), fmt.Sprintf("%.1f", requests), requests <= c.requests)
	}
	if n := len(f.Restored); c.restored > 0 && (n > 0 || w.Error != "") {
		late := time.Duration(0)
		if n > 0 {
			late = f.Restored[(99*n+99)/100-1]
		}
		add("99 of 100 undone within "+seconds(c.restored), seconds(late), late <= c.restored)
	}
	if c.peak > 0 && w.Releases >= 1000 {
		add("peak ≤ "+megabytes(c.peak), megabytes(f.Peak), f.Peak <= c.peak)
	}
	return out
}
