package oracle

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	mathrand "math/rand"
	mathrandv2 "math/rand/v2"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Seed makes what templates draw at random the same after each call with the
// same number, until restore is called. It changes globals of the standard
// library, so nothing else may draw meanwhile. The global source of math/rand
// obeys only in programs built with //go:debug randseednop=0, keys and
// certificates only with cryptocustomrand=1.
func Seed(n uint64) (restore func()) {
	before := cryptorand.Reader
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], n)
	cryptorand.Reader = mathrandv2.NewChaCha8(key)
	uuid.SetRand(cryptorand.Reader)
	//lint:ignore SA1019 sprig and goutils draw from the global source
	mathrand.Seed(int64(n))
	return func() {
		cryptorand.Reader = before
		uuid.SetRand(nil)
	}
}

var (
	chanceful = regexp.MustCompile(`\b(rand[A-Z]\w*|uuidv4|gen[A-Z]\w*(Key|CA|Cert)\w*|genCA|derivePassword|bcrypt|htpasswd|shuffle|encryptAES|keys|values)\b`)
	clock     = regexp.MustCompile(`\b(now|ago|date|dateInZone|date_in_zone|htmlDate\w*)\b`)
	actions   = regexp.MustCompile(`(?s)\{\{.*?\}\}`)
)

// Chance reports whether a template's text calls functions whose result differs
// between renders: those that draw at random or go by the order of a map, and those
// that read the clock.
func Chance(template string) (random, timed bool) {
	for _, a := range actions.FindAllString(template, -1) {
		random = random || chanceful.MatchString(a)
		timed = timed || clock.MatchString(a)
	}
	return random, timed
}

var (
	block = regexp.MustCompile(`(?s)-----BEGIN.*?-----END[A-Z ]*-----|[A-Za-z0-9+/=]{64,}`)
	word  = regexp.MustCompile(`[A-Za-z0-9+/$.]{4,}=*`)
)

// Outline is what is left of a text when its words are taken for their lengths,
// long ones for nothing but long, and its lines for a set: what a second render
// gives again where functions draw at random, read the clock or go by the order
// of a map.
func Outline(text string) string {
	text = block.ReplaceAllString(text, "<long>\n")
	text = word.ReplaceAllStringFunc(text, func(w string) string { return strings.Repeat("x", len(w)) })
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
