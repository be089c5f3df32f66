package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// What lasts is compressed once: the outcome is written around the very bytes
// that stand in the Secret already, and what is written is one ordinary gzip.
func TestOutcomeReusesWhatLasts(t *testing.T) {
	r := sample("shop", 4)
	r.Manifest = TextOf(r.Manifest.String(), strings.Repeat("# a long manifest\n", 10_000))
	write := func(r *Record) []byte {
		t.Helper()
		e, err := encode(r, maxBody)
		if err != nil {
			t.Fatal(err)
		}
		if r.lasting != nil && r.lasting != e.lasting {
			t.Error("what lasts was compressed again")
		}
		r.lasting = e.lasting
		return e.body
	}
	created := write(r)
	r.Status, r.Description = StatusDeployed, "Upgrade complete"
	r.Hooks[0].LastRun.Phase = "Failed"
	deployed := write(r)
	if bytes.Equal(created, deployed) {
		t.Fatal("the outcome is not in the body")
	}

	r.Notes = strings.Repeat("Open the shop.\n", 500) // more than is stored as it is
	if bytes.Equal(write(r), deployed) {
		t.Fatal("the notes are not in the body")
	}

	read := roundTrip(t, r)
	if read.lasting == nil || !bytes.Equal(read.lasting.data, r.lasting.data) {
		t.Fatal("what lasts was not found in what was read")
	}
	read.Status = StatusSuperseded
	superseded := write(read)
	if got := roundTrip(t, read); got.Status != StatusSuperseded || got.Notes != r.Notes || !got.Manifest.Equal(r.Manifest) {
		t.Errorf("read again: %s, manifest of %d bytes, want %d", got.Status, got.Manifest.Len(), r.Manifest.Len())
	}

	for _, body := range [][]byte{created, deployed, superseded} {
		packed, err := base64.StdEncoding.DecodeString(string(body))
		if err != nil {
			t.Fatal(err)
		}
		in := bytes.NewReader(packed)
		z, err := gzip.NewReader(in)
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false) // as readers do that know of one member only
		if _, err := io.ReadAll(z); err != nil || in.Len() > 0 {
			t.Errorf("%d bytes behind the first member, error %v", in.Len(), err)
		}
	}
}

// Another text is never taken for the one that was compressed.
func TestChangedTextIsCompressedAgain(t *testing.T) {
	r := sample("shop", 4)
	e, err := encode(r, maxBody)
	if err != nil {
		t.Fatal(err)
	}
	r.lasting = e.lasting
	r.Manifest = TextOf(r.Manifest.String(), "data: {new: value}\n")
	if got := roundTrip(t, r); got.Notes != r.Notes || !got.Manifest.Equal(r.Manifest) {
		t.Errorf("read back:\n%s", got.Manifest)
	}
}

// What does not fit at the level that a revision was first compressed at is
// compressed again, as tightly as can be, before anything is left out.
func TestTighterIsCompressedAgain(t *testing.T) {
	r := sample("shop", 4)
	var manifest strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&manifest, "# setting %d has the value %d of %d\n", i, i*i, i%7)
	}
	r.Manifest = TextOf(manifest.String())
	e, err := encode(r, maxBody)
	if err != nil {
		t.Fatal(err)
	}
	r.lasting = e.lasting
	limit := len(e.body) - 1
	if e, err = encode(r, limit); err != nil || e.trimmed != "" || len(e.tail) > 0 {
		t.Errorf("trimmed %q, tail of %d bytes, %v", e.trimmed, len(e.tail), err)
	}
	r.lasting = lastingOf(unbase64(t, e.body))
	if again, err := encode(r, limit); err != nil || !bytes.Equal(again.body, e.body) || again.lasting != r.lasting {
		t.Errorf("what is tight already was compressed again: %v", err)
	}
}

func unbase64(t *testing.T, body []byte) []byte {
	t.Helper()
	packed, err := base64.StdEncoding.DecodeString(string(body))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// A header that promises what is not there is not believed.
func TestBrokenExtraField(t *testing.T) {
	text := []byte("some text")
	l, err := newLasting(text, gzip.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	packed, err := l.compress(text, len(text), gzip.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if lastingOf(packed) == nil {
		t.Fatal("not found where it is")
	}
	for name, breakIt := range map[string]func([]byte){
		"size":  func(p []byte) { p[lastingFrom-fieldLen+3] = 0xff },
		"id":    func(p []byte) { p[12] = 'X' },
		"magic": func(p []byte) { p[0] = 0 },
	} {
		broken := bytes.Clone(packed)
		breakIt(broken)
		if lastingOf(broken) != nil {
			t.Errorf("%s: believed", name)
		}
	}
}

// BenchmarkOutcome writes the outcome of a revision of 1000 objects.
func BenchmarkOutcome(b *testing.B) {
	r := sample("shop", 4)
	r.Manifest = TextOf(strings.Repeat("---\n# Source: shop/templates/settings.yaml\n"+r.Manifest.String()+strings.Repeat("  some: setting of some length\n", 70), 1000))
	for name, again := range map[string]bool{"created": false, "updated": true} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(r.Manifest.Len()))
			b.ReportAllocs()
			for b.Loop() {
				e, err := encode(r, maxBody)
				if err != nil {
					b.Fatal(err)
				}
				newSecret(r, e, labelCreated, time.Now())
				if again {
					r.lasting = e.lasting
				}
			}
		})
	}
}
