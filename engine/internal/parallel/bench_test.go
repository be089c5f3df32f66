package parallel

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sync/errgroup"
)

//go:noinline
func deep(n int) int {
	var frame [128]byte
	frame[n%len(frame)] = byte(n)
	if n == 0 {
		return int(frame[0])
	}
	return deep(n-1) + int(frame[n%len(frame)])
}

// A thousand short functions with the deep stack of a request: a goroutine for
// each grows its stack again.
func BenchmarkThousand(b *testing.B) {
	for _, depth := range []int{0, 50, 200} {
		b.Run(fmt.Sprintf("parallel/%d", depth), func(b *testing.B) {
			for b.Loop() {
				g := New(b.Context(), 16)
				for range 1000 {
					g.Do(func(context.Context) error { deep(depth); return nil })
				}
				if err := g.Wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("errgroup/%d", depth), func(b *testing.B) {
			for b.Loop() {
				g, _ := errgroup.WithContext(b.Context())
				g.SetLimit(16)
				for range 1000 {
					g.Go(func() error { deep(depth); return nil })
				}
				if err := g.Wait(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
