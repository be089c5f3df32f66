package engine

import (
	"encoding/binary"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// SeedPolicy says where the passwords, keys and certificates come from that a
// chart draws at random.
type SeedPolicy string

const (
	// SeedKeep draws what the newest revision has drawn: what does not change in
	// the chart does not change in the cluster. A release without a revision, or
	// whose newest one Helm has recorded, gets a new seed. The default.
	SeedKeep SeedPolicy = ""
	// SeedFresh draws other values with each plan, as Helm does.
	SeedFresh SeedPolicy = "Fresh"
)

const seedSize = 32

// storedSeed is a seed as the Secret of a revision keeps it: its secret, and the
// seconds since 1970 at which its certificates become valid.
func storedSeed(s render.Seed) []byte {
	if s.IsZero() {
		return nil
	}
	return binary.BigEndian.AppendUint64(s.Secret(), uint64(s.Since().Unix()))
}

// readSeed reads what storedSeed has written; zero for anything else.
func readSeed(data []byte) render.Seed {
	if len(data) != seedSize+8 {
		return render.Seed{}
	}
	return render.NewSeed(data[:seedSize], time.Unix(int64(binary.BigEndian.Uint64(data[seedSize:])), 0))
}
