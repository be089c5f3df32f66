package readiness

import (
	"context"
	"testing"
	"time"
)

// Logs of nodes that do not respond take a bounded time, however many containers
// there are.
func TestLogsAreReadWithinOneDeadline(t *testing.T) {
	var deadlines []time.Time
	stuck := LogReader(func(ctx context.Context, _, _, _ string, _ bool, _ int64) ([]string, error) {
		at, _ := ctx.Deadline()
		deadlines = append(deadlines, at)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	read := stuck.within(10 * time.Millisecond)
	for range 3 {
		if _, err := read(t.Context(), "shop", "web", "app", false, 10); err == nil {
			t.Error("no error")
		}
	}
	if deadlines[0].IsZero() || deadlines[1] != deadlines[0] || deadlines[2] != deadlines[0] {
		t.Errorf("the deadlines are %v", deadlines)
	}
	if LogReader(nil).within(time.Second) != nil {
		t.Error("a reader of no logs reads logs")
	}
}
