package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Plans are stored: the digest of a text is the same however it is written to the
// hash.
func TestDigestIsOfTheWholeText(t *testing.T) {
	d := digester{key: []byte("a key")}
	for _, text := range []string{"", "short", strings.Repeat("a line of a long text\n", 3000)} {
		h := hmac.New(sha256.New, d.key)
		fmt.Fprintf(h, "8:manifest%s", text)
		if got, want := d.digest("manifest", text), digestKeyed+hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("digest of %d bytes: %s, want %s", len(text), got, want)
		}
	}
}
