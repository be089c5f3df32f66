package engine

import (
	"crypto/rand"
	"encoding/hex"
)

const nonceSize = 16

// newNonce makes the digests of a plan differ from those of all others.
func newNonce() string {
	b := make([]byte, nonceSize)
	rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

// validNonce reports whether newNonce may have returned a nonce.
func validNonce(nonce string) bool {
	b, err := hex.DecodeString(nonce)
	return err == nil && len(b) == nonceSize && hex.EncodeToString(b) == nonce
}
