//go:build linux

package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
	hostiles "github.com/fairlead-dev/fairlead/test/hostile"
)

// TestHostileHistory reads bodies that unpack to gigabytes, each alone and twelve
// of each with one budget.
func TestHostileHistory(t *testing.T) {
	const head = `{"name":"old","version":3,"info":{"status":"deployed"},`
	more := map[string]func(string) []byte{
		"deep":      func(head string) []byte { return filled(head+`"config":`, `{"a":`, 5_000_000, "") },
		"deep list": func(head string) []byte { return filled(head+`"config":{"a":`, "[", 8_000_000, "") },
		"templates": func(head string) []byte {
			return filled(head+`"chart":{"templates":[`, `{"name":"a"},`, 4_000_000, `{}]}}`)
		},
		"dependencies": func(head string) []byte {
			return filled(head+`"chart":{"metadata":{"dependencies":[`, `{"name":"a"},`, 4_000_000, `{}]}}}`)
		},
		"schema": func(head string) []byte { return filled(head+`"chart":{"schema":"`, "AAAA", 10_000_000, `"}}`) },
		"notes":  func(head string) []byte { return filled(head+`"info":{"notes":"`, `\u0000`, 8_000_000, `"}}`) },
		"labels": func(head string) []byte { return filled(head+`"labels":{"x":"y"`, `,"a":"b"`, 6_000_000, `}}`) },
		"parts": func(head string) []byte {
			return filled(head+`"manifest":"---\n# Source: fairlead.dev/continued\nspec:\n  parts: 999999999\n`, "x", 1000, `"}`)
		},
		"aliases":      func(head string) []byte { return filled(head+`"manifest":"a: &a [x]\nb: [`, "*a,", 1_000_000, `]"}`) },
		"documents":    func(head string) []byte { return filled(head+`"manifest":"`, `---\n`, 8_000_000, `"}`) },
		"large number": func(head string) []byte { return filled(head+`"config":{"a":`, "9", 20_000_000, `}}`) },
		"blanks":       func(head string) []byte { return filled(head, " ", 100_000_000, `"x":1}`) },
		"cut off":      func(head string) []byte { return filled(head+`"manifest":"`, "x", 1_000_000, `"}`)[:2000] },
		"nothing":      func(string) []byte { return nil },
	}
	for name, body := range bombs {
		more[name] = body
	}
	var cases []hostiles.Case
	for name, body := range more {
		for _, n := range []int{1, 12} {
			title := name
			if n > 1 {
				title += ", twelve times"
			}
			cases = append(cases, hostiles.Case{
				Name: title, Memory: maxReading + 64<<20,
				Typed: func(err error) bool { return errors.As(err, new(*DecodeError)) },
				Run: func(ctx context.Context) error {
					budget := yamlread.NewBudget(maxReading)
					var kept []*Record
					var failed error
					for range n {
						r, err := New(nil, nil).read(ctx, foreignSecret(string(body(head))), budget)
						if kept = append(kept, r); err != nil {
							failed = err
							continue
						}
						if n > 1 {
							continue
						}
						if _, err := Objects(NewDecoder(), r.Manifest.String(), nil); err != nil && len(err.Error()) > 1<<20 {
							return err
						}
					}
					runtime.KeepAlive(kept) // as a history keeps them
					return failed
				},
			})
		}
	}
	hostiles.SortCases(cases)
	hostiles.Run(t, cases)
}

func TestLongNumbers(t *testing.T) {
	long := strings.Repeat("1", maxNumber+1)
	for text, want := range map[string]bool{
		`{"a":` + long + `}`: true, `[` + long: true, long: true, `{"a":` + long[1:] + `}`: false, `{"a":"` + long + `"}`: false,
		`{"a":"\\\"` + long + `"}`: false, `{"a":"\\",` + long: true, `{"` + long: false, `"\`: false, "": false, `{"a":"x","b":-` + long + `e1}`: true,
		`[` + strings.Repeat("1,", 2*maxNumber) + `1]`: false,
	} {
		if hasLongNumber([]byte(text)) != want {
			t.Errorf("%.40s", text)
		}
	}
}

// What is not base64, or not gzip, is an error of that Secret.
func TestHostileEncodings(t *testing.T) {
	for _, body := range []string{"", "H4sI", base64.StdEncoding.EncodeToString([]byte("\x1f\x8b\x08")), strings.Repeat("A", 1<<20)} {
		if _, err := New(nil, nil).read(t.Context(), foreignSecret(body), yamlread.NewBudget(maxOne)); !errors.As(err, new(*DecodeError)) {
			t.Errorf("%.10q: %v", body, err)
		}
	}
}
