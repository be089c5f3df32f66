package main

import (
	"fmt"
	"math"
	"slices"
)

// ratio is how one peer's values compare with those of another one in the same
// rounds: quartiles of the ratios of each pair.
type ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`  // a quarter of the pairs is below
	High   float64 `json:"high"` // a quarter of the pairs is above
	N      int     `json:"n"`
}

// pair compares the samples of two rows that are of the same round; n is 0 if
// there are none.
func pair(own, other *result, value func(figures) float64) ratio {
	var all []float64
	for _, a := range own.Samples {
		for _, b := range other.Samples {
			if a.Round == b.Round && value(b) > 0 {
				all = append(all, value(a)/value(b))
			}
		}
	}
	if len(all) == 0 {
		return ratio{}
	}
	slices.Sort(all)
	return ratio{Median: quantile(all, 0.5), Low: quantile(all, 0.25), High: quantile(all, 0.75), N: len(all)}
}

// quantile interpolates between the two sorted values that are next to a part of
// all of them.
func quantile(sorted []float64, part float64) float64 {
	at := part * float64(len(sorted)-1)
	low, fraction := math.Modf(at)
	i := int(low)
	if i+1 == len(sorted) {
		return sorted[i]
	}
	return sorted[i] + fraction*(sorted[i+1]-sorted[i])
}

func (r ratio) String() string {
	return fmt.Sprintf("%.2f (%.2f–%.2f)", r.Median, r.Low, r.High)
}

// ratios returns those of a row of Fairlead's; nil for another row.
func (r *report) ratios(own *row) map[string]ratio {
	if own.Peer != fairleadName && own.Peer != fairleadDiskName {
		return nil
	}
	out := map[string]ratio{}
	for _, peer := range r.peers(own.Section) {
		other := r.find(own.Section, own.Operation, peer)
		if other == nil || peer == own.Peer {
			continue
		}
		if found := pair(own.result, other.result, wallOf); found.N > 0 {
			out[peer] = found
		}
	}
	return out
}

// best is the rival to which a peer compares worst in an operation, and the ratio;
// empty if there is none.
func (r *report) best(section string, op operation, own string, value func(figures) float64) (string, ratio) {
	row := r.find(section, op, own)
	if row == nil {
		return "", ratio{}
	}
	var best string
	var worst ratio
	for _, peer := range rivals(own) {
		other := r.find(section, op, peer)
		if other == nil {
			continue
		}
		if found := pair(row.result, other.result, value); found.N > 0 && (best == "" || found.Median > worst.Median) {
			best, worst = peer, found
		}
	}
	return best, worst
}
