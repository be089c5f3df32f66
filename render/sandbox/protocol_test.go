//go:build linux && (amd64 || arm64)

package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/render"
)

// A length is a claim: nothing is reserved for it.
func TestLengthIsBounded(t *testing.T) {
	header := binary.BigEndian.AppendUint64(nil, 1<<40)
	var tooLarge *tooLargeError
	if err := readMessage(bytes.NewReader(header), 1<<20, &response{}); !errors.As(err, &tooLarge) {
		t.Errorf("error %v", err)
	}
	header = binary.BigEndian.AppendUint64(nil, 1<<30)
	if got := testing.AllocsPerRun(1, func() {
		if err := readMessage(bytes.NewReader(header), 1<<31, &response{}); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v", err)
		}
	}); got > 100 {
		t.Errorf("%v allocations", got)
	}
}

// Errors cross with their types, fields and texts.
func TestErrorsCross(t *testing.T) {
	limit := &render.LimitError{Limit: "Steps", Max: 5, Subject: "x"}
	own := errors.New("the caller's")
	for name, err := range map[string]error{
		"limit":     &render.Error{Op: "render", Chart: "web", File: "web/x", Line: 3, Column: 4, Path: "a.b", Looked: []string{"l"}, Include: []render.Frame{{File: "f"}}, Hint: "h", Err: limit},
		"schema":    &render.SchemaError{Violations: []render.Violation{{Chart: "web", Path: "a", Wanted: "string"}}},
		"duplicate": &render.Error{Op: "parse", Err: &render.DuplicateError{ID: "a", First: "b", Second: "c"}},
		"remote":    &render.Error{Op: "load", Err: &render.RemoteError{File: "f", Ref: "r", Err: fmt.Errorf("no: %w", context.Canceled)}},
		"joined":    &render.Error{Op: "render", Err: errors.Join(errors.New("a"), limit)},
	} {
		text, jsonErr := json.Marshal(encodeError(err, 0))
		if jsonErr != nil {
			t.Fatal(jsonErr)
		}
		var w wireError
		if err := json.Unmarshal(text, &w); err != nil {
			t.Fatal(err)
		}
		got := w.decode(nil)
		if got.Error() != err.Error() {
			t.Errorf("%s: %v, want %v", name, got, err)
		}
		for _, as := range []func(error) bool{
			func(err error) bool { return errors.As(err, new(*render.LimitError)) },
			func(err error) bool { return errors.As(err, new(*render.SchemaError)) },
			func(err error) bool { return errors.As(err, new(*render.DuplicateError)) },
			func(err error) bool { return errors.As(err, new(*render.RemoteError)) },
			func(err error) bool { return errors.Is(err, context.Canceled) },
		} {
			if as(got) != as(err) {
				t.Errorf("%s: the types differ", name)
			}
		}
	}
	w := encodeError(&render.Error{Op: "render", Err: fmt.Errorf("lookup: %w", &callError{1, "x"})}, 0)
	if err := w.decode([]error{own}); !errors.Is(err, own) {
		t.Errorf("error %v", err)
	}
}

// Whatever a child sends, the parent has a response, or an error, and a manifest
// that can be printed.
func FuzzParentReads(f *testing.F) {
	f.Add([]byte(`{"hello":{}}`), []byte{})
	f.Add([]byte(`{"done":{"error":{"type":"error","at":{"Op":"x"}}}}`), []byte{})
	f.Add([]byte(`{"done":{"error":{"type":"call","call":-1}}}`), []byte{})
	f.Add([]byte(`{"done":{"manifestBytes":46,"files":[{"name":"a","bytes":3}]}}`), []byte(`{"objects":[{"text":"a: b"}],"hooks":[{}]}    abc`))
	f.Add([]byte(`{"done":{"manifestBytes":16}}`), []byte(`{"objects":[{}]}`))
	f.Add([]byte(`{"done":{"manifestBytes":-1}}`), []byte{})
	f.Add([]byte(`{"done":{"objects":[null]}}`), []byte{})
	f.Add([]byte(`{"lookup":{"name":"`+strings.Repeat("x", 100)+`"}}`), []byte{})
	s := &Source{}
	f.Fuzz(func(t *testing.T, text, parts []byte) {
		message := append(binary.BigEndian.AppendUint64(nil, uint64(len(text))), text...)
		var r response
		if err := readMessage(bytes.NewReader(message), 1<<20, &r); err != nil {
			return
		}
		if r.Done == nil {
			var broken *brokenError
			if _, err := r.ask(t.Context(), render.Input{}); !errors.As(err, &broken) {
				t.Errorf("error %v", err)
			}
			return
		}
		if r.Done.Error != nil {
			if err := r.Done.Error.decode(nil); err == nil {
				t.Error("no error")
			} else {
				_ = err.Error()
			}
		}
		if err := r.Done.readParts(bytes.NewReader(parts), 1<<20); err != nil {
			return
		}
		m, err := s.manifest(r.Done, render.Input{})
		if err != nil {
			return
		}
		_ = m.WriteYAML(io.Discard)
		_ = m.HooksOn(render.HookTest)
		for _, o := range m.Objects {
			_ = o.ID()
		}
	})
}
