package template

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"math/big"
	"math/bits"
	"slices"
	"time"
)

// Seed makes the random functions of a run deterministic. What a call returns
// depends on the key, the file that is executed, the function, and how often that
// function was called in the file before. Partials and tpl count to the file. A file
// that is included by another one draws what it draws by itself, so that a digest of
// it is that of what it renders.
type Seed struct {
	// Key is the secret of which all random values are a function. Empty: they
	// are random.
	Key []byte
	// Since is when certificates become valid. Zero: now.
	Since time.Time
}

// fetchSeed is the seed of the run, which is asked for by the first random call.
func (r *Run) fetchSeed() (Seed, error) {
	if r.seed == nil {
		return Seed{}, nil
	}
	seed, err := r.seed()
	if err == nil {
		r.seed = func() (Seed, error) { return seed, nil }
	}
	return seed, err
}

// draws counts the random calls of one file.
type draws struct {
	file  string
	calls map[string]int // by function
}

// draw is what one call of a random function reads: an endless stream of bytes,
// which is AES-256-CTR under a key of its own. The generators of math/rand are
// not meant for secrets, and the keys of the standard library ignore their reader.
type draw struct {
	stream cipher.Stream
	since  time.Time // as in Seed, and never zero
	now    time.Time
}

const streamKey = 32

// draw begins the next call of a random function.
func (r *Run) draw(seed Seed, function string) (*draw, error) {
	n := r.draws.calls[function]
	if r.draws.calls == nil {
		r.draws.calls = map[string]int{}
	}
	r.draws.calls[function] = n + 1
	info := fmt.Sprintf("fairlead.dev/render/v1 %q %s %d", r.draws.file, function, n)
	key, err := hkdf.Key(sha256.New, seed.Key, nil, info, streamKey+aes.BlockSize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key[:streamKey])
	if err != nil {
		return nil, err
	}
	d := &draw{stream: cipher.NewCTR(block, key[streamKey:]), since: seed.Since, now: r.now()}
	if d.since.IsZero() {
		d.since = d.now
	}
	return d, nil
}

// Read fills p; it never fails.
func (d *draw) Read(p []byte) (int, error) {
	clear(p)
	d.stream.XORKeyStream(p, p)
	return len(p), nil
}

func (d *draw) bytes(n int) []byte {
	p := make([]byte, n)
	d.stream.XORKeyStream(p, p)
	return p
}

// below is a number below n, which is positive, each as likely as the others.
func (d *draw) below(n uint64) uint64 {
	var p [8]byte
	for {
		_, _ = d.Read(p[:])
		var x uint64
		for _, b := range p {
			x = x<<8 | uint64(b)
		}
		// The upper half of the product is below n; the lower half says whether
		// x is one of those that would make some numbers likelier.
		hi, lo := bits.Mul64(x, n)
		if lo >= -n%n {
			return hi
		}
	}
}

// text is a text of n characters of an alphabet.
func (d *draw) text(alphabet string, n int) string {
	out := make([]byte, max(0, n))
	for i := range out {
		out[i] = alphabet[d.below(uint64(len(alphabet)))]
	}
	return string(out)
}

// number is a number of that many bytes at most.
func (d *draw) number(size int) *big.Int { return new(big.Int).SetBytes(d.bytes(size)) }

// seededFunction is a random function whose randomness is given.
type seededFunction func(d *draw, a []value) (value, error)

// orSeeded is a random function that obeys a run's seed. Without one it is what it
// was.
func orSeeded(name string, random impl, seeded seededFunction) impl {
	isSlow := slices.Contains(slowFunctions, name)
	return func(r *Run, a []value) (value, error) {
		seed, err := r.fetchSeed()
		if err != nil {
			return value{}, err
		}
		if len(seed.Key) == 0 {
			return random(r, a)
		}
		d, err := r.draw(seed, name)
		if err != nil {
			return value{}, err
		}
		if !isSlow {
			return protected(d, a, seeded)
		}
		args := slices.Clone(a)
		return r.apartKey(func() (value, error) { return protected(d, args, seeded) })
	}
}

func protected(d *draw, a []value, seeded seededFunction) (v value, err error) {
	defer protect(&err)
	return seeded(d, a)
}
