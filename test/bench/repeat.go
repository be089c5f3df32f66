package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// closeRounds is how often at least a row is measured that misses a goal, or
	// might by chance.
	closeRounds = 15
	// closeBudget is how long a section may be measured beyond its budget for that.
	closeBudget = time.Minute
)

// selects reports whether a section is to be measured.
func (s *session) selects(c section) bool { return strings.Contains(c.name, s.only) }

// sample adds the figures of this round to a row.
func (s *session) sample(r *result, f figures) {
	f.Round = s.round
	r.Samples = append(r.Samples, f)
}

// repeat alternates the peers, starting with another one each time, until there
// are enough repetitions or the section's budget is used up; then those of them
// again that are needed for the rows that miss.
func (s *session) repeat(c section, measure func(c section, peer string) error) error {
	if !s.selects(c) {
		return nil
	}
	s.round = 0
	begun := time.Now()
	if err := s.rounds(c, s.repeats, c.budget, measure); err != nil {
		return err
	}
	first, took := s.round, time.Since(begun)
	if again, ok := s.missing(c); ok && first < closeRounds {
		if err := s.rounds(again, closeRounds-first, closeBudget, measure); err != nil {
			return err
		}
		fmt.Fprintf(s.out, "%s: %d more repetitions of %s up to %q in %v\n", c.name, s.round-first, strings.Join(again.peers, ", "), again.last(), (time.Since(begun) - took).Round(100*time.Millisecond))
	}
	fmt.Fprintf(s.out, "%s: %d repetitions in %v\n", c.name, first, took.Round(100*time.Millisecond))
	return nil
}

// rounds measures each peer up to wanted times.
func (s *session) rounds(c section, wanted int, budget time.Duration, measure func(c section, peer string) error) error {
	budget = time.Duration(float64(budget) * s.scale)
	begun, done := time.Now(), 0
	for done < wanted && time.Since(begun)*time.Duration(done+1) <= budget*time.Duration(max(1, done)) {
		for i := range c.peers {
			if err := measure(c, c.peers[(i+s.round)%len(c.peers)]); err != nil {
				return err
			}
		}
		done++
		s.round++
	}
	return nil
}

// missing returns the part of a section that has to be measured again because a
// goal is missed, or the upper quartile of the ratio misses it: the peers that are
// compared there, and the operations up to the last of these.
func (s *session) missing(c section) (section, bool) {
	r := &report{}
	for _, row := range s.results {
		if row.Section == c.name {
			r.Rows = append(r.Rows, newRow(row))
		}
	}
	var peers []string
	last := -1
	for _, m := range misses(r) {
		peers = append(peers, m.own, m.peer)
		last = max(last, slices.Index(c.ops, m.op))
	}
	if len(peers) == 0 {
		return c, false
	}
	if len(c.ops) > 0 {
		c.ops = c.ops[:last+1]
	}
	c.peers = slices.DeleteFunc(slices.Clone(c.peers), func(peer string) bool { return !slices.Contains(peers, peer) })
	return c, true
}

// last is the last operation of a section.
func (c section) last() operation {
	if len(c.ops) == 0 {
		return "all"
	}
	return c.ops[len(c.ops)-1]
}
