package main

import (
	"fmt"
	"strings"
	"time"
)

// goal is a performance goal of Fairlead, and the result of this run.
type goal struct {
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
	Holds  bool   `json:"holds"`
}

// check is a goal for one row of Fairlead's.
type check struct {
	section string
	op      operation
	value   func(summary) float64 // nil: the wall time
	of      map[string]float64    // at most this part of a peer's value
	atMost  time.Duration         // 0: no bound
	atMostR int                   // requests; 0: no bound
	noWrite bool
}

func wallOf(s summary) float64   { return s.Wall.Seconds() }
func memoryOf(s summary) float64 { return float64(s.Memory) }

func goals(r *report) []goal {
	const (
		ten      = "10 mixed objects"
		thousand = "1000 ConfigMaps of 2 KB"
	)
	helm := func(part float64) map[string]float64 { return map[string]float64{helm3Name: part, helm4Name: part} }
	less := map[string]float64{helm3Name: 1. / 15, helm4Name: 1. / 15, fluxName: 1. / 5}
	checks := []check{
		{section: thousand, op: opInstall, of: map[string]float64{rawName: 1.15}},
		{section: thousand + ", 32 in flight", op: opInstall, of: map[string]float64{rawName: 1.15}},
		{section: thousand, op: opChange, of: less, atMostR: 20},
		{section: thousand, op: opNone, of: less, atMostR: 20, noWrite: true},
		{section: ten, op: opInstall, of: map[string]float64{fluxName: 1}},
		{section: ten, op: opChange, of: map[string]float64{fluxName: 1}, atMostR: 20},
		{section: ten + ", fresh process", op: opChange, of: helm(1. / 3)},
		{section: ten + ", install and wait", op: opInstallWait, of: map[string]float64{fluxName: 1}},
		{section: thousand + ", 20 ms away", op: opChange, atMost: time.Second},
		{section: thousand + ", fresh process", op: opPlan, value: memoryOf, of: map[string]float64{helm3Name: .5, helm4Name: .5, fluxName: .5}},
	}
	recorded := storedSection(fairleadName)
	checks = append(checks,
		check{section: recorded, op: opList, of: map[string]float64{helm3Name: .1}},
		check{section: recorded, op: opList, value: memoryOf, of: map[string]float64{helm3Name: .1}},
	)
	for _, section := range r.sections() {
		if strings.HasPrefix(section, renderingPrefix) {
			checks = append(checks, check{section: section, op: opRenderAgain, of: map[string]float64{helm3Name: 1. / 5}})
		}
	}
	var out []goal
	for _, c := range checks {
		if g, ok := c.judge(r); ok {
			out = append(out, g)
		}
	}
	return out
}

// judge compares; ok is false if the run has not measured it.
func (c check) judge(r *report) (g goal, ok bool) {
	own := r.find(c.section, c.op, fairleadName)
	if own == nil {
		return g, false
	}
	value, what := wallOf, "time"
	if c.value != nil {
		value, what = c.value, "memory"
	}
	g.Holds = true
	var wanted, found []string
	for _, peer := range peerNames {
		part, given := c.of[peer]
		other := r.find(c.section, c.op, peer)
		if !given || other == nil {
			continue
		}
		ratio := value(own.Summary) / value(other.Summary)
		wanted = append(wanted, fmt.Sprintf("≤ %.2f of %s's %s", part, peer, what))
		found = append(found, fmt.Sprintf("%.2f of %s's", ratio, peer))
		g.Holds = g.Holds && ratio <= part
	}
	if c.atMost > 0 {
		wanted = append(wanted, "≤ "+seconds(c.atMost))
		found = append(found, seconds(own.Summary.Wall))
		g.Holds = g.Holds && own.Summary.Wall <= c.atMost
	}
	if c.atMostR > 0 {
		wanted = append(wanted, fmt.Sprintf("≤ %d requests", c.atMostR))
		found = append(found, fmt.Sprintf("%d requests", own.Summary.Requests))
		g.Holds = g.Holds && own.Summary.Requests <= c.atMostR
	}
	if c.noWrite {
		wanted = append(wanted, "no write")
		found = append(found, fmt.Sprintf("%d writes", own.Summary.writes()))
		g.Holds = g.Holds && own.Summary.writes() == 0
	}
	g.Wanted = fmt.Sprintf("%s: %s: %s", c.section, c.op, strings.Join(wanted, ", "))
	g.Found = strings.Join(found, ", ")
	return g, len(wanted) > 0
}

func goalTable(goals []goal) string {
	var b strings.Builder
	b.WriteString("| Goal | This run | |\n| --- | --- | --- |\n")
	for _, g := range goals {
		word := "**missed**"
		if g.Holds {
			word = "holds"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", g.Wanted, g.Found, word)
	}
	return b.String()
}
