package redact

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// Whole reports whether a text as a whole is one of the values that are hidden
// only as whole fields, in plain or encoded, and which.
func (s *Set) Whole(text string) (value string, ok bool) {
	if s == nil || len(s.whole) == 0 {
		return "", false
	}
	text = strings.TrimSpace(text)
	if len(text) < minWhole || len(text) > s.longest {
		return "", false
	}
	value, ok = s.whole[strings.ToLower(text)]
	return value, ok
}

// forms are the forms in which a whole value is known, folded.
func forms(text string) []string {
	out := []string{strings.ToLower(text)}
	for _, form := range []string{
		base64.StdEncoding.EncodeToString([]byte(text)), base64.RawStdEncoding.EncodeToString([]byte(text)),
		base64.URLEncoding.EncodeToString([]byte(text)), base64.RawURLEncoding.EncodeToString([]byte(text)),
		base64.StdEncoding.EncodeToString([]byte(text + "\n")), hex.EncodeToString([]byte(text)),
	} {
		if form = strings.ToLower(form); !slices.Contains(out, form) {
			out = append(out, form)
		}
	}
	return out
}

// opening are the signs before a field inside of a text, and closing what may
// follow it.
var opening = []struct{ before, closing string }{
	{`"`, `"\`}, {`'`, `'\`}, {"`", "`"}, {"=", " \t\r\n,;&\"')}]"}, {"://", ":@"},
}

// fields finds whole values inside of a text: in quotes, behind an equals sign,
// and as the user of a URL.
func (s *scan) fields() {
	if len(s.set.whole) == 0 {
		return
	}
	for _, o := range opening {
		for i := 0; ; {
			j := strings.Index(s.text[i:], o.before)
			if j < 0 {
				break
			}
			i += j + len(o.before)
			rest := s.text[i:min(len(s.text), i+s.set.longest+1)]
			end := strings.IndexAny(rest, o.closing)
			if end < 0 && i+len(rest) == len(s.text) && o.before == "=" {
				end = len(rest)
			}
			if end < 0 {
				continue
			}
			if value, ok := s.set.Whole(rest[:end]); ok {
				s.spans = append(s.spans, Span{i, i + end, value, true})
			}
		}
	}
}

// constant reports whether a short text is one of the words and numbers that
// configuration is full of, and no secret.
func constant(text string) bool {
	switch strings.ToLower(text) {
	case "true", "false", "yes", "off", "null", "nil", "none", "http", "https", "tcp", "udp", "tls", "ssl", "info", "warn", "debug", "error", "utf8", "utf-8", "latest", "always", "never", "auto":
		return true
	}
	return false
}
