package cluster

import (
	"context"
	"slices"
	"sync"
)

// collectWarnings passes the API server's warnings to the collector in the
// request's context; client-go's own default prints to stderr.
type collectWarnings struct{}

type warningsKey struct{}

// Warnings collects what the API server warns of in the requests of a context.
// It is safe for concurrent use.
type Warnings struct {
	mu    sync.Mutex
	texts []string
}

// WithWarnings returns a context whose requests add to the returned Warnings.
func WithWarnings(ctx context.Context) (context.Context, *Warnings) {
	w := &Warnings{}
	return context.WithValue(ctx, warningsKey{}, w), w
}

// Texts returns the warnings so far, each text once, in order; nil if there
// are none.
func (w *Warnings) Texts() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.texts)
}

func (collectWarnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	w, ok := ctx.Value(warningsKey{}).(*Warnings)
	if !ok || code != 299 || text == "" {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.texts, text) {
		w.texts = append(w.texts, text)
	}
}
