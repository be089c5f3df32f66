package order

import (
	"fmt"
	"testing"
)

// Circles are found in one way, and none is left.
func TestOpenCircles(t *testing.T) {
	for range 20 {
		needs := map[int][]int{0: {1}, 1: {2}, 2: {0, 3}, 3: {3}, 4: {0}}
		if got, want := fmt.Sprint(OpenCircles(5, needs)), "[[0 1 2] [3]]"; got != want {
			t.Fatalf("found %s, want %s", got, want)
		}
		if got, want := fmt.Sprint(needs), "map[0:[1] 1:[2] 2:[3] 3:[] 4:[0]]"; got != want {
			t.Fatalf("left %s, want %s", got, want)
		}
		if left := OpenCircles(5, needs); len(left) > 0 {
			t.Fatalf("%v is left", left)
		}
	}
}
