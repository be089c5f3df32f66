package engine

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/render"
)

// seeding finds the seed of one render. That of the newest revision is read while
// the chart is rendered, and only a chart that draws anything waits for it.
type seeding struct {
	e       *Engine
	release Release
	asking  asking

	read    chan struct{} // closed once the history is read
	history *history

	mu   sync.Mutex
	used render.Seed // zero: nothing was drawn so far
}

func (e *Engine) seeding(r Release, a asking, h *history) *seeding {
	return &seeding{
		e: e, release: r, asking: a, read: make(chan struct{}), history: h,
	}
}

// fetch is the seed for a chart that draws.
func (s *seeding) fetch(ctx context.Context) (render.Seed, error) {
	select {
	case <-s.read:
	case <-ctx.Done():
		return render.Seed{}, context.Cause(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.IsZero() {
		seed, err := s.find()
		if err != nil {
			return render.Seed{}, err
		}
		s.used = seed
	}
	return s.used, nil
}

func (s *seeding) find() (render.Seed, error) {
	// What is left of a plan draws what was drawn before it stopped.
	if s.release.Seed == SeedKeep || s.asking.recorded != nil || s.history.resumes(s.asking.reviewed) {
		if kept := s.kept(); !kept.IsZero() {
			return kept, nil
		}
	}
	secret, err := s.e.planSeed(s.history.last, s.asking.nonce, s.release.Key)
	return render.NewSeed(secret, s.asking.renderedAt), err
}

// kept is the seed of the newest revision; zero if there is none.
func (s *seeding) kept() render.Seed {
	if s.history.last == nil {
		return render.Seed{}
	}
	if recorded := s.asking.recorded; recorded != nil {
		return readSeed(recorded.of.Seed)
	}
	return readSeed(s.history.last.Seed)
}

// toRecord is the seed that the new revision keeps: the one that was used, or for a
// chart that draws nothing at present the one before.
func (s *seeding) toRecord() render.Seed {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used.IsZero() {
		return s.kept()
	}
	return s.used
}

// planSeed is the secret of a new seed. That of a plan which may be stored follows
// from the plan's nonce and the key of its digests, so that it is found again when
// the plan is applied, and by no one else: see digester, with keeper as
// in planSecret. Without such a key, and for a plan that is applied at once, it is
// random.
func (e *Engine) planSeed(keeper *storage.Record, nonce string, k Key) ([]byte, error) {
	secret, _ := e.planSecret(keeper)
	if nonce == "" || len(secret) == 0 {
		random := make([]byte, seedSize)
		rand.Read(random) // never fails, see crypto/rand
		return random, nil
	}
	seed, err := hkdf.Key(sha256.New, secret, []byte(nonce), "fairlead.dev/plan/v1 seed of "+k.String(), seedSize)
	if err != nil {
		return nil, fmt.Errorf("derive the seed of the plan: %w", err)
	}
	return seed, nil
}
