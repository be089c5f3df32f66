package sandbox

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// A message is JSON behind its length: 8 bytes, big endian. Parent and child are
// the same program, so there are no versions.

// request is what the parent sends. Exactly one field is set.
type request struct {
	Load       *loadRequest   `json:"load,omitempty"`
	Render     *renderRequest `json:"render,omitempty"`
	PostRender *postRequest   `json:"postRender,omitempty"`
	Reply      *reply         `json:"reply,omitempty"`
}

// loadRequest makes the child load a source and keep it under the key.
type loadRequest struct {
	Key uint64 `json:"key"`
	// Drop are the keys of sources that are no longer kept.
	Drop []uint64 `json:"drop,omitempty"`
	// Info asks for the source's info.
	Info   bool          `json:"info,omitempty"`
	Source sourceContent `json:"source"`
}

// sourceContent is a source before it is parsed.
type sourceContent struct {
	Kind    sourceKind    `json:"kind"`
	Archive []byte        `json:"archive,omitempty"`
	Files   []render.File `json:"files"`
	Dir     string        `json:"dir,omitempty"` // of a kustomization
	Limits  render.Limits `json:"limits"`
}

type sourceKind string

const (
	kindArchive       sourceKind = "archive"
	kindChart         sourceKind = "chart"
	kindKustomization sourceKind = "kustomization"
	kindManifests     sourceKind = "manifests"
)

// renderRequest has the fields of render.Input that are plain data, and whether
// the others are set.
type renderRequest struct {
	Key       uint64        `json:"key"`
	Name      string        `json:"name"`
	Namespace string        `json:"namespace"`
	Revision  int           `json:"revision"`
	Upgrade   bool          `json:"upgrade"`
	Values    render.Values `json:"values"`
	// ChartValues count if OverChart is set: none are others than the chart's own.
	ChartValues  render.Values        `json:"chartValues"`
	OverChart    bool                 `json:"overChart"`
	Capabilities *render.Capabilities `json:"capabilities"`
	Limits       render.Limits        `json:"limits"`
	Strict       bool                 `json:"strict"`
	SkipSchema   bool                 `json:"skipSchema"`
	Helm         render.HelmVersion   `json:"helm"`
	Now          time.Time            `json:"now,omitzero"`
	Seed         bool                 `json:"seed"`
	Lookup       bool                 `json:"lookup"`
	SchemaLoader bool                 `json:"schemaLoader"`
}

// postRequest makes a kustomization change objects.
type postRequest struct {
	Key     uint64          `json:"key"`
	Objects []render.Object `json:"objects"`
	Limits  render.Limits   `json:"limits"`
}

// reply is the parent's to a question of the child. Error is the text of the
// error, which the parent keeps under Call.
type reply struct {
	Object json.RawMessage `json:"object,omitempty"`
	Data   []byte          `json:"data,omitempty"`
	At     time.Time       `json:"at,omitzero"`
	Failed bool            `json:"failed,omitempty"`
	Error  string          `json:"error,omitempty"`
	Call   int             `json:"call,omitempty"`
}

// response is what the child sends. The parent does not trust it.
type response struct {
	Hello  *hello     `json:"hello,omitempty"`
	Lookup *lookup    `json:"lookup,omitempty"`
	Schema *schemaURL `json:"schema,omitempty"`
	Seed   *seed      `json:"seed,omitempty"`
	Done   *done      `json:"done,omitempty"`
}

type hello struct {
	Missing []string `json:"missing,omitempty"`
}

type lookup struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Namespace  string `json:"namespace"`
	Name       string `json:"name"`
}

// seed asks for the seed, which no child has that draws nothing.
type seed struct{}

type schemaURL struct {
	URL string `json:"url"`
}

// done ends a request.
type done struct {
	Error *wireError        `json:"error,omitempty"`
	Info  *render.ChartInfo `json:"info,omitempty"`
	// ManifestBytes and Files are the sizes of what follows the message as it is:
	// the manifest as JSON, without notes, texts of files, and files of the chart;
	// then those texts, which need not be UTF-8.
	ManifestBytes int64           `json:"manifestBytes,omitempty"`
	Files         []textBytes     `json:"files,omitempty"`
	Notes         []byte          `json:"notes,omitempty"`
	Objects       []render.Object `json:"objects,omitempty"`
	// CPU is the processor time that the child has used so far, in seconds.
	CPU int64 `json:"cpu,omitempty"`

	manifest []byte
	texts    []string
}

type textBytes struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// tooLargeError is returned for a message that is longer than allowed.
type tooLargeError struct{ size, most uint64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("a message of %d bytes, allowed are %d", e.size, e.most)
}

const headerBytes = 8

func writeMessage(w io.Writer, message any) error {
	buf := bytes.NewBuffer(make([]byte, headerBytes, 1<<12))
	encoder := json.NewEncoder(buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(message); err != nil {
		return err
	}
	binary.BigEndian.PutUint64(buf.Bytes(), uint64(buf.Len()-headerBytes))
	_, err := w.Write(buf.Bytes())
	return err
}

// readMessage reads one message of at most so many bytes. Memory grows with what
// is there, not with the length that the other side claims. The error is io.EOF
// where there is no further message.
func readMessage(r io.Reader, most int64, into any) error {
	var header [headerBytes]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint64(header[:])
	if size > uint64(most) {
		return &tooLargeError{size, uint64(most)}
	}
	text, err := readBytes(r, int64(size))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return &notAMessageError{err}
	}
	return nil
}

func readBytes(r io.Reader, size int64) ([]byte, error) {
	var buf bytes.Buffer
	buf.Grow(int(min(size, 64<<10)) + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(r, size))
	if err != nil {
		return nil, err
	}
	if n < size {
		return nil, io.ErrUnexpectedEOF
	}
	return buf.Bytes(), nil
}

// writeParts writes what follows the message, at once: each write may wake the
// other side.
func (d *done) writeParts(w io.Writer) error {
	buf := bytes.NewBuffer(d.manifest)
	for _, text := range d.texts {
		buf.WriteString(text)
	}
	_, err := w.Write(buf.Bytes())
	return err
}

// readParts reads what follows the message, of at most so many bytes.
func (d *done) readParts(r io.Reader, most int64) (err error) {
	left := most
	part := func(size int64) ([]byte, error) {
		if size < 0 {
			return nil, errNoSuchMessage
		}
		if size > left {
			return nil, &tooLargeError{uint64(size), uint64(left)}
		}
		left -= size
		return readBytes(r, size)
	}
	if d.manifest, err = part(d.ManifestBytes); err != nil {
		return err
	}
	for _, f := range d.Files {
		text, err := part(f.Bytes)
		if err != nil {
			return err
		}
		d.texts = append(d.texts, string(text))
	}
	return nil
}

// notAMessageError is returned for bytes that are no message.
type notAMessageError struct{ err error }

func (e *notAMessageError) Error() string { return "not a message: " + e.err.Error() }
func (e *notAMessageError) Unwrap() error { return e.err }

var errNoSuchMessage = &notAMessageError{errors.New("not one that is expected here")}
