package storage

import (
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// maxParts bounds the Secrets that continue a revision.
const maxParts = 32

// encoded is a revision ready to be stored: the body of its Secret, and the
// tail that further Secrets continue it with, if it is too big for one.
type encoded struct {
	body    []byte
	lasting *lasting // of the body
	trimmed string   // what was left out of the chart; empty: nothing
	tail    []byte
	limit   int // of the body, and of each part of the tail
}

// digest of the tail; empty if there is none.
func (e *encoded) digest() string {
	if len(e.tail) == 0 {
		return ""
	}
	return digestOf(e.tail)
}

// continuation of the body in further Secrets; zero if there is none.
func (e *encoded) continuation() continuation {
	return continuation{SHA256: e.digest(), Parts: (len(e.tail) + e.limit - 1) / e.limit}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// moves are the members that leave the Secret for its continuation, until what
// stays fits. What Helm's lists and histories show always stays.
var moves = [][]string{
	nil,
	{memberManifest},
	{memberManifest, memberHooks},
	{memberManifest, memberHooks, memberConfig},
}

// encode writes the record as Helm does, but for gzip's level: Helm's is the
// highest, which takes five times as long for a few percent, so that it is left
// to what does not fit otherwise. What is too big even then has its chart
// trimmed first, and is continued after that. The limit is of one Secret:
// maxBody.
func encode(r *Record, limit int) (*encoded, error) {
	if r.Manifest.hasPrefix(continuedMark) {
		return nil, fmt.Errorf("the manifest opens with %q, which stands for a continued revision", continuedMark)
	}
	doc, err := documentOf(r)
	if err != nil {
		return nil, err
	}
	body, lasting, err := pack(doc, r.lasting, flate.DefaultCompression)
	if err == nil && len(body) <= limit {
		return &encoded{body: body, lasting: lasting, limit: limit}, nil
	}
	if err != nil && !errors.Is(err, ErrTooBig) {
		return nil, err
	}
	for _, move := range moves {
		out, err := encodeMoved(r, doc, move, limit)
		if err != nil || out != nil {
			return out, err
		}
	}
	return nil, ErrTooBig
}

// encodeMoved encodes with the members moved to the tail and as little of the
// chart left out as it takes; nil if nothing is enough.
func encodeMoved(r *Record, doc document, move []string, limit int) (*encoded, error) {
	head := maps.Clone(doc)
	tail := document{}
	for _, member := range move {
		if value, ok := head[member]; ok {
			tail[member] = value
			delete(head, member)
		}
	}
	out := &encoded{limit: limit}
	if len(tail) > 0 {
		text, _, err := tail.text()
		if err != nil {
			return nil, err
		}
		if len(text) > maxDecoded {
			return nil, nil
		}
		if out.tail, err = compress(text); err != nil {
			return nil, err
		}
		if len(out.tail) > maxParts*limit {
			return nil, nil
		}
		if err := head.set(memberManifest, out.continuation().manifest(r)); err != nil {
			return nil, err
		}
	}
	try := func(t trimming) (fits bool, err error) {
		if head[memberChart], err = trimmed(doc[memberChart], t); err != nil {
			return false, err
		}
		out.trimmed = t.name
		out.body, out.lasting, err = pack(head, r.lasting, flate.BestCompression)
		if errors.Is(err, ErrTooBig) {
			return false, nil
		}
		return len(out.body) <= limit, err
	}
	// The deepest first: mostly it shows at once that the chart is not at
	// fault.
	all := append([]trimming{{"", func(document) error { return nil }}}, trimmings...)
	if fits, err := try(all[len(all)-1]); err != nil || !fits {
		return nil, err
	}
	for _, t := range all {
		if fits, err := try(t); err != nil || fits {
			return out, err
		}
	}
	return nil, nil
}

func trimmed(chart json.RawMessage, t trimming) (json.RawMessage, error) {
	if t.name == "" || len(chart) == 0 {
		return chart, nil
	}
	var doc document
	if err := json.Unmarshal(chart, &doc); err != nil {
		return nil, fmt.Errorf("read the chart to trim: %w", err)
	}
	if doc == nil { // null
		return chart, nil
	}
	if err := t.trim(doc); err != nil {
		return nil, fmt.Errorf("trim the chart: %w", err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode the chart: %w", err)
	}
	return text, nil
}

// continuedMark opens the manifest of a continued revision, as Helm sees it.
// The renderer names sources CHART/templates/….
const continuedMark = "---\n# Source: fairlead.dev/continued\n"

// continuation says where the rest of a revision is. It stands in the place of
// the manifest, because that is the one text which Helm keeps when it writes a
// revision's Secret again; and it is an object of no known kind, so that Helm
// stops at it: an empty or partial manifest would make it delete objects.
type continuation struct {
	SHA256 string `json:"sha256"` // of all parts, one after the other
	Parts  int    `json:"parts"`
}

func (c continuation) manifest(r *Record) string {
	return fmt.Sprintf(`%s# This revision is too big for one Secret. Its manifest is in %d more, which
# Fairlead reads and Helm does not: Helm shows this revision, and refuses to
# roll back to it, upgrade from it or uninstall it.
apiVersion: fairlead.dev/v1
kind: ContinuedRevision
metadata:
  name: %s
spec:
  sha256: %s
  parts: %d
`, continuedMark, c.Parts, r.Name, c.SHA256, c.Parts)
}

// continuationOf reads it from a manifest; ok is false for any other manifest.
func continuationOf(manifest string) (c continuation, ok bool, err error) {
	if !strings.HasPrefix(manifest, continuedMark) {
		return c, false, nil
	}
	var object struct {
		Spec continuation `json:"spec"`
	}
	if err := (yamlread.Decoder{}).Unmarshal([]byte(manifest), &object); err != nil {
		return c, true, fmt.Errorf("where it continues is not readable: %w", err)
	}
	c = object.Spec
	if sum, err := hex.DecodeString(c.SHA256); err != nil || len(sum) != sha256.Size || c.Parts < 1 || c.Parts > maxParts {
		return c, true, fmt.Errorf("where it continues is not readable: %d parts with digest %q", c.Parts, c.SHA256)
	}
	return c, true, nil
}

// joined is the document with what its tail holds, the manifest apart.
func joined(head document, tail []byte, account yamlread.Account) (doc document, manifest string, err error) {
	text, err := decompress(tail, account)
	if err != nil {
		return nil, "", fmt.Errorf("continuation: %w", err)
	}
	moved, manifest, err := readDocument(text, account)
	if err != nil {
		return nil, "", fmt.Errorf("continuation: %w", err)
	}
	doc = maps.Clone(head)
	for _, member := range moves[len(moves)-1] {
		if value, ok := moved[member]; ok {
			doc[member] = value
		}
	}
	return doc, manifest, nil
}
