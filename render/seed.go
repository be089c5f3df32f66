package render

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/fairlead-dev/fairlead/internal/template"
)

// Seed makes the random functions of templates deterministic: those that draw
// texts, numbers and UUIDs, keys and certificates, salts of hashes. A seed is a
// secret, as everything drawn from it follows from it. The zero value is no seed:
// functions are random.
//
// What a call returns depends on the seed, the template file that is executed, the
// function, and how often that function was called in the file before; partials and
// tpl count to the file. So two calls differ, and a call that is added to one
// template does not change what the others draw. A file that another one includes,
// for a checksum, draws what it draws by itself.
type Seed struct {
	secret *hidden[seedSecret]
}

type seedSecret struct {
	key   []byte
	since time.Time
	fetch func(ctx context.Context) (Seed, error) // nil: key is the secret
}

// NewSeed makes a seed of a secret, of which 32 random bytes are enough. An empty
// secret gives the zero Seed.
//
// Certificates are valid since the time that is given, to the second; zero means
// since the time of the render. Each render in which two thirds of a certificate's
// lifetime have passed, by Input.Now, renews it for the same key.
func NewSeed(secret []byte, since time.Time) Seed {
	if len(secret) == 0 {
		return Seed{}
	}
	return Seed{hide(seedSecret{key: bytes.Clone(secret), since: since.UTC().Truncate(time.Second)})}
}

// FetchSeed makes a seed that is fetched by the first call of a random function,
// and not at all by a chart that calls none. The render fails with the error.
func FetchSeed(fetch func(ctx context.Context) (Seed, error)) Seed {
	return Seed{hide(seedSecret{fetch: fetch})}
}

// Fetched returns the seed itself of what [FetchSeed] has made, and any other seed
// as it is.
func (s Seed) Fetched(ctx context.Context) (Seed, error) {
	if fetch := s.secret.get().fetch; fetch != nil {
		seed, err := fetch(ctx)
		if err != nil {
			return Seed{}, err
		}
		return seed.Fetched(ctx)
	}
	return s, nil
}

// IsZero reports whether there is no seed.
func (s Seed) IsZero() bool { return s.secret == nil }

// Secret returns the secret of the seed; nil if there is none, or if it is yet to
// be fetched.
func (s Seed) Secret() []byte { return bytes.Clone(s.secret.get().key) }

// Since returns when certificates become valid; zero if that is not given.
func (s Seed) Since() time.Time { return s.secret.get().since }

// String returns whether there is a seed, and nothing of it.
func (s Seed) String() string {
	if s.IsZero() {
		return "no seed"
	}
	return "a seed"
}

// GoString returns the type and nothing of the seed.
func (s Seed) GoString() string { return "render.Seed{ " + s.String() + " }" }

// Format writes [Seed.String] for every verb.
func (s Seed) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue returns [Seed.String].
func (s Seed) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText returns [Seed.String]: a seed is stored by its Secret and Since.
func (s Seed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// template returns the seed as templates use it; nil for none.
func (s Seed) template(ctx context.Context) func() (template.Seed, error) {
	if s.IsZero() {
		return nil
	}
	return func() (template.Seed, error) {
		fetched, err := s.Fetched(ctx)
		return template.Seed{Key: fetched.Secret(), Since: fetched.Since()}, err
	}
}
