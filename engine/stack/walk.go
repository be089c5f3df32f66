package stack

import "sync"

// DefaultConcurrency is how many members one call works on at once.
const DefaultConcurrency = 4

// walk calls visit for each name once visit has returned for all that come before
// it, for several at once within the limit. It returns when all have returned.
func walk(names []string, before map[string][]string, limit int, visit func(name string)) {
	if limit <= 0 {
		limit = DefaultConcurrency
	}
	done := make(map[string]chan struct{}, len(names))
	for _, n := range names {
		done[n] = make(chan struct{})
	}
	slots := make(chan struct{}, limit)
	var wg sync.WaitGroup
	for _, n := range names {
		wg.Go(func() {
			defer close(done[n])
			for _, b := range before[n] {
				if wait := done[b]; wait != nil {
					<-wait
				}
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			visit(n)
		})
	}
	wg.Wait()
}
