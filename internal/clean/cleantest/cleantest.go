// Package cleantest has hostile texts for tests of outputs, and checks that an
// output is harmless.
package cleantest

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// Hostile are texts that control a terminal, hide what is around them, or are
// commands of CI systems, markup, links or mentions.
var Hostile = map[string]string{
	"escape":       "\x1b[2J\x1b]0;owned\x07\x1bP\x1b\\",
	"C1":           "\u009b31m\u0090\x9b31m",
	"return":       "ok\rfailed\b\b\v\f",
	"lines":        "a\n\n::error::forged\r\n  ::add-mask::x\u2028::x\u0085::y",
	"command":      " \t::error title=x::forged",
	"Azure":        "##vso[task.setvariable variable=x]y ###[error]z ##teamcity[buildStop]",
	"GitLab":       "section_start:1:x\r\x1b[0Kx",
	"direction":    "a\u202eb\u2066c\u200ed",
	"invisible":    "a\u200bb\u00adc\ufeff\u3164\U000e0041",
	"mention":      "@admin closes #12 and !13, see https://evil.example/x, www.evil.example",
	"markup":       "</summary><img src=x onerror=alert(1)>![x](https://evil.example/a.png)<!-- ",
	"fence":        "````\n# heading\n- @admin\n",
	"invalid UTF8": "\xff\xfe\xc3",
	"wrapped":      strings.Repeat("word ", 25) + "::error::forged " + strings.Repeat("word ", 25) + "::set-env name=x::y",
}

var command = regexp.MustCompile(`(?i)##[a-z]*\[`)

// Check reports what in an output controls a terminal or is a command. lines
// reports whether it may have more than one line.
func Check(t testing.TB, what, out string, lines bool) {
	t.Helper()
	for i, r := range out {
		bad := unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co)
		if r == '\n' && lines || r == '\t' && lines {
			bad = false
		}
		if bad {
			t.Errorf("%s: %U in %q", what, r, out[max(0, i-60):min(len(out), i+20)])
			return
		}
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(strings.TrimLeftFunc(line, unicode.IsSpace), "::") || command.MatchString(line) {
			t.Errorf("%s: a command: %q", what, line)
		}
	}
}

// Fill returns v with text in every exported string and error in it; numbers are 1.
func Fill(v any, text string, err error) any {
	out := reflect.New(reflect.TypeOf(v)).Elem()
	out.Set(reflect.ValueOf(v))
	fill(out, text, reflect.ValueOf(err), 0)
	return out.Interface()
}

func fill(v reflect.Value, text string, err reflect.Value, depth int) {
	if !v.CanSet() || depth > 6 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text, err, depth+1)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text, err, depth+1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text, err, depth+1)
	case reflect.Interface:
		if err.Type().AssignableTo(v.Type()) {
			v.Set(err)
		}
	}
}
