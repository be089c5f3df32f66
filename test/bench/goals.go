package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// goal is a performance goal of Fairlead, and the result of this run.
type goal struct {
	Wanted string `json:"wanted"`
	Found  string `json:"found"`
	Holds  bool   `json:"holds"`
}

// check is a goal for rows of Fairlead's in one section. It holds if the medians of
// the paired ratios do.
type check struct {
	section string
	ops     []operation           // each of them; nil: all
	own     string                // empty: fairleadName
	value   func(figures) float64 // nil: the wall time
	of      map[string]float64    // at most this part of a peer's value
	ofBest  float64               // at most this part of the value of the best of the rivals; 0: no bound
	atMost  time.Duration         // 0: no bound
	atMostR int                   // requests; 0: no bound
	atMostW int                   // writes; 0: no bound
	noWrite bool
}

func wallOf(f figures) float64   { return f.Wall.Seconds() }
func memoryOf(f figures) float64 { return float64(f.Peak - f.Idle) }

// checksOf returns the goals for sections of these names.
func checksOf(sections []string) []check {
	const (
		ten      = "10 mixed objects"
		thousand = "1000 ConfigMaps of 2 KB"
	)
	one := func(op operation) []operation { return []operation{op} }
	helm := func(part float64) map[string]float64 { return map[string]float64{helm3Name: part, helm4Name: part} }
	less := map[string]float64{helm3Name: 1. / 15, helm4Name: 1. / 15, fluxName: 1. / 5}
	half := map[string]float64{helm3Name: .5, helm4Name: .5, fluxName: .5}
	floor := map[string]float64{rawName: 1.08}
	checks := []check{
		{section: ten, ofBest: 1},
		{section: ten, ops: one(opChange), of: map[string]float64{fluxName: .85}, atMostR: 16, atMostW: 4},
		{section: ten + ", install and wait", ops: one(opInstallWait), ofBest: 1},
		{section: ten + ", fresh process", ofBest: 1},
		{section: ten + ", fresh process", ofBest: 1, own: fairleadDiskName},
		{section: ten + ", fresh process", ops: one(opChange), of: helm(1. / 3)},
		{section: ten + ", 20 ms away", ops: one(opChange), ofBest: 1},
		{section: "200 mixed objects", ofBest: 1},
		{section: thousand, ofBest: 1},
		{section: thousand, ops: one(opInstall), of: floor},
		{section: thousand + ", 32 in flight", ops: one(opInstall), of: floor},
		{section: thousand, ops: one(opChange), of: less, atMostR: 20},
		{section: thousand, ops: one(opNone), of: less, atMostR: 20, noWrite: true},
		{section: thousand + ", 20 ms away", ops: one(opChange), atMost: time.Second},
		{section: thousand + ", fresh process", ofBest: 1},
		{section: thousand + ", fresh process", ofBest: 1, own: fairleadDiskName},
		{section: thousand + ", fresh process", ops: one(opPlan), value: memoryOf, of: half},
		{section: thousand + ", fresh process", ops: one(opPlan), value: memoryOf, of: map[string]float64{fluxName: 1}},
		{section: thousand + ", fresh process", ops: one(opPlan), value: memoryOf, of: map[string]float64{fluxName: 1}, own: fairleadDiskName},
	}
	recorded := storedSection(fairleadName)
	checks = append(checks,
		check{section: recorded, ops: one(opList), of: map[string]float64{helm3Name: .1}},
		check{section: recorded, ops: one(opList), value: memoryOf, of: map[string]float64{helm3Name: .1}},
	)
	for _, section := range sections {
		if strings.HasPrefix(section, renderingPrefix) {
			checks = append(checks,
				check{section: section, ops: one(opRenderAgain), of: map[string]float64{helm3Name: 1. / 5}},
				check{section: section, ops: one(opRenderCold), of: map[string]float64{helm3Name: 1}},
			)
		}
	}
	return checks
}

func goals(r *report) []goal {
	var out []goal
	for _, c := range checksOf(r.sections()) {
		if g, ok := c.judge(r); ok {
			out = append(out, g)
		}
	}
	return out
}

// comparison is the ratio of a row of Fairlead's to a peer's, and the bound.
type comparison struct {
	op        operation
	own, peer string
	ratio     ratio
	atMost    float64
}

// missing reports whether the bound is missed, or would be by a bit more chance.
func (c comparison) missing() bool { return c.ratio.High > c.atMost }

// compare returns the comparisons with peers; empty if the run has not measured
// them.
func (c check) compare(r *report) []comparison {
	own, value := c.peer(), c.value
	if value == nil {
		value = wallOf
	}
	var out []comparison
	for _, op := range c.operations(r) {
		row := r.find(c.section, op, own)
		if row == nil {
			continue
		}
		if c.ofBest > 0 {
			if best, found := r.best(c.section, op, own, value); best != "" {
				out = append(out, comparison{op, own, best, found, c.ofBest})
			}
		}
		for _, peer := range peerNames {
			part, given := c.of[peer]
			other := r.find(c.section, op, peer)
			if !given || other == nil {
				continue
			}
			if found := pair(row.result, other.result, value); found.N > 0 {
				out = append(out, comparison{op, own, peer, found, part})
			}
		}
	}
	return out
}

func (c check) peer() string {
	if c.own == "" {
		return fairleadName
	}
	return c.own
}

func (c check) operations(r *report) []operation {
	if c.ops != nil {
		return c.ops
	}
	return r.operations(c.section)
}

// misses returns the comparisons whose rows have to be measured more often.
func misses(r *report) []comparison {
	var out []comparison
	for _, c := range checksOf(r.sections()) {
		out = append(out, slices.DeleteFunc(c.compare(r), func(c comparison) bool { return !c.missing() })...)
	}
	return out
}

// judge compares; ok is false if the run has not measured it.
func (c check) judge(r *report) (g goal, ok bool) {
	what := "time"
	if c.value != nil {
		what = "memory"
	}
	g.Holds = true
	var wanted, found []string
	if c.ofBest > 0 {
		wanted = append(wanted, fmt.Sprintf("≤ %.2f of the best peer's %s", c.ofBest, what))
	}
	for _, m := range c.compare(r) {
		g.Holds = g.Holds && m.ratio.Median <= m.atMost
		text := fmt.Sprintf("%v of %s's", m.ratio, m.peer)
		if c.ofBest > 0 {
			text = fmt.Sprintf("%s %s", m.op, text)
			if m.ratio.Median > m.atMost {
				text = "**" + text + "**"
			}
		} else {
			wanted = append(wanted, fmt.Sprintf("≤ %.2f of %s's %s", m.atMost, m.peer, what))
		}
		found = append(found, text)
	}
	for _, op := range c.operations(r) {
		if r.failure(c.section, op, c.peer()) != "" {
			found, g.Holds = append(found, fmt.Sprintf("**%s failed**", op)), false
		}
		if own := r.find(c.section, op, c.peer()); own != nil {
			w, f, holds := c.absolute(own.Summary)
			wanted, found = append(wanted, w...), append(found, f...)
			g.Holds = g.Holds && holds
		}
	}
	name := "each operation"
	if c.ops != nil {
		name = string(c.ops[0])
	}
	if c.own != "" {
		name = c.own + ", " + name
	}
	g.Wanted = fmt.Sprintf("%s: %s: %s", c.section, name, strings.Join(wanted, ", "))
	g.Found = strings.Join(found, ", ")
	return g, len(found) > 0
}

// absolute judges the bounds that are not of a peer.
func (c check) absolute(own summary) (wanted, found []string, holds bool) {
	holds = true
	if c.atMost > 0 {
		wanted, found = append(wanted, "≤ "+seconds(c.atMost)), append(found, seconds(own.Wall))
		holds = holds && own.Wall <= c.atMost
	}
	if c.atMostR > 0 {
		wanted, found = append(wanted, fmt.Sprintf("≤ %d requests", c.atMostR)), append(found, fmt.Sprintf("%d requests", own.Requests))
		holds = holds && own.Requests <= c.atMostR
	}
	if c.atMostW > 0 || c.noWrite {
		text := fmt.Sprintf("≤ %d writes", c.atMostW)
		if c.noWrite {
			text = "no write"
		}
		wanted, found = append(wanted, text), append(found, fmt.Sprintf("%d writes", own.writes()))
		holds = holds && own.writes() <= c.atMostW
	}
	return wanted, found, holds
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
