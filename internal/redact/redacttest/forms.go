// Package redacttest has the forms in which programs show values, and which of
// them are found. SECURITY.md has the same list; a test compares both.
package redacttest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Form is one way to show a value.
type Form struct {
	Name  string
	Of    func(value string) string
	Found bool
}

// Values are what Forms are tried with: of ordinary signs, and of all that
// escapes concern.
var Values = []string{"hunter2-Correct-Horse", `p&ss "w"<ö>'x' 100%/+\n~`}

func bytesOf(format, separator string) func(string) string {
	return func(v string) string {
		var out []string
		for _, b := range []byte(v) {
			out = append(out, fmt.Sprintf(format, b))
		}
		return strings.Join(out, separator)
	}
}

func runesOf(format, separator string) func(string) string {
	return func(v string) string {
		var out []string
		for _, r := range v {
			out = append(out, fmt.Sprintf(format, r))
		}
		return strings.Join(out, separator)
	}
}

func every(n int, v, separator string) string {
	var out []string
	for part := range slices.Chunk([]rune(v), n) {
		out = append(out, string(part))
	}
	return strings.Join(out, separator)
}

func asJSON(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}

func escapedXML(v string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(v))
	return b.String()
}

func zipped(v string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(v))
	_ = w.Close()
	return b.Bytes()
}

func reversed(v string) string {
	r := []rune(v)
	slices.Reverse(r)
	return string(r)
}

func swapped(v string) string {
	return strings.Map(func(r rune) rune {
		if up := strings.ToUpper(string(r)); up != string(r) {
			return []rune(up)[0]
		}
		return []rune(strings.ToLower(string(r)))[0]
	}, v)
}

var (
	std   = func(v string) string { return base64.StdEncoding.EncodeToString([]byte(v)) }
	b32   = func(v string) string { return base32.StdEncoding.EncodeToString([]byte(v)) }
	toHex = func(v string) string { return hex.EncodeToString([]byte(v)) }
)

// Forms are the forms, those that are found first.
var Forms = slices.Concat(found("text", []Form{
	{Name: "as it is", Of: func(v string) string { return v }},
	{Name: "upper case", Of: strings.ToUpper},
	{Name: "lower case", Of: strings.ToLower},
	{Name: "swapped case", Of: swapped},
	{Name: "between other letters", Of: func(v string) string { return "xx" + v + "yy" }},
	{Name: "in quotes", Of: func(v string) string { return "'" + v + "'" }},
	{Name: "wrapped lines", Of: func(v string) string { return every(10, v, "\n    ") }},
	{Name: "wrapped lines, CRLF", Of: func(v string) string { return every(10, v, "\r\n") }},
	{Name: "folded at spaces", Of: func(v string) string { return strings.ReplaceAll(v, " ", "\n  ") }},
	{Name: "UTF-16", Of: func(v string) string { return every(1, v, "\x00") }},
	{Name: "Go's %+v", Of: func(v string) string { return fmt.Sprintf("%+v", struct{ Password string }{v}) }},
	{Name: "key=value", Of: func(v string) string { return "PASSWORD=" + v }},
}), found("escapes", []Form{
	{Name: "JSON", Of: func(v string) string { return asJSON(v) }},
	{Name: "JSON, a field", Of: func(v string) string { return asJSON(map[string]string{"password": v}) }},
	{Name: "JSON, all escaped", Of: func(v string) string {
		var b strings.Builder
		for _, u := range utf16.Encode([]rune(v)) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
		return b.String()
	}},
	{Name: "JSON in JSON", Of: func(v string) string { return asJSON(asJSON(map[string]string{"a": v})) }},
	{Name: "JSON in JSON in JSON", Of: func(v string) string { return asJSON(asJSON(asJSON(v))) }},
	{Name: "Go's %q", Of: strconv.Quote},
	{Name: "Go's %+q", Of: strconv.QuoteToASCII},
	{Name: `\x41`, Of: bytesOf(`\x%02x`, "")},
	{Name: `\101`, Of: bytesOf(`\%03o`, "")},
	{Name: `\U00000041`, Of: runesOf(`\U%08x`, "")},
	{Name: "YAML, single quotes", Of: func(v string) string { return "'" + strings.ReplaceAll(v, "'", "''") + "'" }},
	{Name: "shell, single quotes", Of: func(v string) string { return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'" }},
	{Name: "shell, double quotes in single", Of: func(v string) string { return "'" + strings.ReplaceAll(v, "'", `'"'"'`) + "'" }},
	{Name: "shell, backslashes", Of: func(v string) string { return regexp.MustCompile(`[^\w\pL]`).ReplaceAllString(v, `\$0`) }},
	{Name: "URL, query", Of: url.QueryEscape},
	{Name: "URL, path", Of: url.PathEscape},
	{Name: "URL, all escaped", Of: bytesOf("%%%02x", "")},
	{Name: "URL, twice", Of: func(v string) string { return url.PathEscape(url.PathEscape(v)) }},
	{Name: "URL of JSON", Of: func(v string) string { return url.PathEscape(asJSON(v)) }},
	{Name: "HTML", Of: html.EscapeString},
	{Name: "HTML, decimal", Of: runesOf("&#%d;", "")},
	{Name: "HTML, hexadecimal", Of: runesOf("&#x%x;", "")},
	{Name: "XML", Of: escapedXML},
}), found("encodings", []Form{
	{Name: "base64", Of: std},
	{Name: "base64, unpadded", Of: func(v string) string { return base64.RawStdEncoding.EncodeToString([]byte(v)) }},
	{Name: "base64, URL", Of: func(v string) string { return base64.URLEncoding.EncodeToString([]byte(v)) }},
	{Name: "base64, URL, unpadded", Of: func(v string) string { return base64.RawURLEncoding.EncodeToString([]byte(v)) }},
	{Name: "base64, one byte before", Of: func(v string) string { return std("x" + v + "yz") }},
	{Name: "base64, two bytes before", Of: func(v string) string { return std("xy" + v + "z") }},
	{Name: "base64, behind other letters", Of: func(v string) string { return "x" + std(v) }},
	{Name: "base64, wrapped", Of: func(v string) string { return every(16, std(v), "\n  ") }},
	{Name: "base64 of JSON", Of: func(v string) string { return std(asJSON(map[string]string{"a": v})) }},
	{Name: "base64 in JSON of PHP", Of: func(v string) string { return strings.ReplaceAll(std(v), "/", `\/`) }},
	{Name: "base64 in a URL", Of: func(v string) string { return url.QueryEscape(std(v)) }},
	{Name: "base64, twice", Of: func(v string) string { return std(std(v)) }},
	{Name: "base64, three times", Of: func(v string) string { return std(std(std(v))) }},
	{Name: "basic authentication", Of: func(v string) string { return "Basic " + std("user:"+v) }},
	{Name: "base32", Of: b32},
	{Name: "base32, lower case, unpadded", Of: func(v string) string { return strings.ToLower(strings.TrimRight(b32(v), "=")) }},
	{Name: "base32, three bytes before", Of: func(v string) string { return b32("xyz" + v) }},
	{Name: "hexadecimal", Of: toHex},
	{Name: "hexadecimal, upper case", Of: func(v string) string { return strings.ToUpper(toHex(v)) }},
	{Name: "hexadecimal, colons", Of: bytesOf("%02x", ":")},
	{Name: "hexadecimal, spaces", Of: bytesOf("%02x", " ")},
	{Name: "hexadecimal, behind 0x", Of: func(v string) string { return "0x" + toHex(v) }},
	{Name: "base64 of hexadecimal", Of: func(v string) string { return std(toHex(v)) }},
	{Name: "bytes, as Go prints them", Of: func(v string) string { return fmt.Sprint([]byte(v)) }},
	{Name: "bytes, as JavaScript prints them", Of: bytesOf("%d", ",")},
}), []Form{
	{Name: "reversed", Of: reversed},
	{Name: "signs between all letters", Of: func(v string) string { return every(1, v, "-") }},
	{Name: "gzip", Of: func(v string) string { return std(string(zipped(v))) }},
	{Name: "ascii85", Of: func(v string) string {
		out := make([]byte, ascii85.MaxEncodedLen(len(v)))
		return string(out[:ascii85.Encode(out, []byte(v))])
	}},
	{Name: "quoted-printable", Of: func(v string) string {
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		_, _ = w.Write([]byte(strings.ReplaceAll(v, "e", "\xeb")))
		_ = w.Close()
		return b.String()
	}},
	{Name: "rot13", Of: func(v string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'a' && r <= 'z':
				return 'a' + (r-'a'+13)%26
			case r >= 'A' && r <= 'Z':
				return 'A' + (r-'A'+13)%26
			}
			return r
		}, v)
	}},
	{Name: "a hash", Of: func(v string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(v))) }},
	{Name: "half of it", Of: func(v string) string { return v[:len(v)/2] }},
	{Name: "base64, four times", Of: func(v string) string { return std(std(std(std(v)))) }},
})

func found(_ string, forms []Form) []Form {
	for i := range forms {
		forms[i].Found = true
	}
	return forms
}

// sign matches what may reveal something of a value: other than quotes.
var sign = regexp.MustCompile(`[^\\"']`)

// Shows reports what of a form an output shows: a part of at least eight bytes
// that the form of another value does not have.
func Shows(f Form, value, out string) string {
	other := f.Of(strings.Repeat("~", len(value)))
	text := f.Of(value)
	const part = 8
	for i := 0; i+part <= len(text); i++ {
		if w := text[i : i+part]; sign.MatchString(w) && strings.Contains(out, w) && !strings.Contains(other, w) {
			return w
		}
	}
	return ""
}
