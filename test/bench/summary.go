package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// summary summarizes the samples of a row: medians, and the range of the wall
// time.
type summary struct {
	N              int            `json:"n"`
	Wall           time.Duration  `json:"wall"`
	Min            time.Duration  `json:"min"`
	Max            time.Duration  `json:"max"`
	CPU            time.Duration  `json:"cpu"`
	Memory         int64          `json:"memory"` // peak minus that of the idle process
	Requests       int            `json:"requests"`
	Verbs          map[string]int `json:"verbs,omitempty"` // of the median by requests
	Sent, Received int64
	AfterReady     time.Duration `json:"afterReady,omitempty"`
}

func (r *result) summary() summary {
	s := summary{N: len(r.Samples)}
	if s.N == 0 {
		return s
	}
	byWall := sorted(r.Samples, func(f figures) time.Duration { return f.Wall })
	s.Min, s.Max = byWall[0].Wall, byWall[s.N-1].Wall
	s.Wall = median(r.Samples, func(f figures) time.Duration { return f.Wall })
	s.CPU = median(r.Samples, func(f figures) time.Duration { return f.CPU })
	s.Memory = median(r.Samples, func(f figures) int64 { return f.Peak - f.Idle })
	s.Sent = median(r.Samples, func(f figures) int64 { return f.Sent })
	s.Received = median(r.Samples, func(f figures) int64 { return f.Received })
	byRequests := sorted(r.Samples, figures.total)[(s.N-1)/2]
	s.Requests, s.Verbs = byRequests.total(), byRequests.Requests
	if len(r.AfterReady) > 0 {
		s.AfterReady = median(r.AfterReady, func(d time.Duration) time.Duration { return d })
	}
	return s
}

func sorted[T any, V cmp.Ordered](samples []T, value func(T) V) []T {
	out := slices.Clone(samples)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(value(a), value(b)) })
	return out
}

// median of an even number is the mean of the two in the middle.
func median[T any, V ~int | ~int64](samples []T, value func(T) V) V {
	s := sorted(samples, value)
	high, low := value(s[len(s)/2]), value(s[(len(s)-1)/2])
	return low + (high-low)/2
}

// writes returns the number of requests that change persistent state, including
// locks and history.
func (s summary) writes() int {
	n := 0
	for _, verb := range []string{"create", "update", "patch", "delete", "deletecollection"} {
		n += s.Verbs[verb]
	}
	return n
}

// verbText returns the verbs in alphabetical order.
func (s summary) verbText() string {
	var parts []string
	for verb, n := range s.Verbs {
		parts = append(parts, fmt.Sprintf("%d %s", n, verb))
	}
	slices.SortFunc(parts, func(a, b string) int {
		_, a, _ = strings.Cut(a, " ")
		_, b, _ = strings.Cut(b, " ")
		return strings.Compare(a, b)
	})
	return strings.Join(parts, ", ")
}

// seconds formats a duration with three significant digits.
func seconds(d time.Duration) string {
	switch s := d.Seconds(); {
	case s >= 10:
		return fmt.Sprintf("%.1f s", s)
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 0.1:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case s >= 0.01:
		return fmt.Sprintf("%.1f ms", s*1e3)
	default:
		return fmt.Sprintf("%.2f ms", s*1e3)
	}
}

// megabytes formats a size.
func megabytes(n int64) string {
	switch mb := float64(n) / 1e6; {
	case mb >= 10:
		return fmt.Sprintf("%.0f MB", mb)
	case mb >= 0.1:
		return fmt.Sprintf("%.1f MB", mb)
	default:
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
}

func sortedKeys(m map[int]string) []int { return slices.Sorted(maps.Keys(m)) }
