package redact

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxStructure is how deep values may be inside of each other: a line of a file
// that is a field of a JSON document.
const maxStructure = 8

// Learn adds a value, and what is in it.
func (s *Set) Learn(value string) {
	s.learn(value, 0)
	if trimmed := strings.TrimSpace(value); len(value) >= minSecret && s.squeezedLen(value) < minSecret && len(trimmed) != len(value) || len(trimmed) >= minSecret && s.squeezedLen(trimmed) < minSecret {
		if !s.seen["literal\x00"+value] {
			s.seen["literal\x00"+value] = true
			s.literals = append(s.literals, value)
		}
	}
}

// LearnWhole adds a value that is an ordinary word, such as the name of a user:
// it is hidden only where it is a whole field.
func (s *Set) LearnWhole(value string) { s.addWhole(value) }

func (s *Set) squeezedLen(value string) int {
	n := 0
	for i := 0; i < len(value) && n < minSecret; i++ {
		if value[i] > ' ' && value[i] != 0x7f {
			n++
		}
	}
	return n
}

// learn adds a value at a depth of the structure of another one.
func (s *Set) learn(value string, depth int) {
	if s.seen == nil {
		s.seen = map[string]bool{}
	}
	value = strings.TrimSpace(value)
	if len(value) < minWhole || depth > maxStructure || s.seen[value] || depth > 0 && ordinary(value) {
		return
	}
	s.seen[value] = true
	if len(value) < minSecret {
		s.addWhole(value)
		return
	}
	if !utf8.ValidString(value) {
		s.add(value, opaque)
		return
	}
	least := opaque
	if (leaves{s, depth + 1}).parts(value) {
		least = structured
	}
	s.add(value, least)
}

// parts learns what is in a value, and reports whether that has all that is
// secret in it.
func (l leaves) parts(value string) bool {
	switch {
	case l.json(value), l.yaml(value):
		return true
	case strings.Contains(value, pemBegin):
		l.pem(value)
		return true
	case strings.Contains(value, "\n"):
		l.encoded(value)
		return l.lines(value)
	}
	if l.encoded(value) {
		return false
	}
	// A line may be read in more than one way.
	url, line, pairs := l.url(value), l.line(value), l.pairs(value)
	return url || line || pairs
}

// leaves learns the parts of a value.
type leaves struct {
	set   *Set
	depth int
}

func (l leaves) learn(value string) { l.set.learn(value, l.depth) }

// json learns the strings and numbers of a JSON document.
func (l leaves) json(text string) bool {
	if !strings.ContainsRune(`{["`, rune(text[0])) {
		return false
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil || d.More() {
		return false
	}
	l.jsonValue(doc, "")
	return true
}

func (l leaves) jsonValue(v any, key string) {
	switch v := v.(type) {
	case string:
		l.field(key, v)
	case json.Number:
		l.learn(v.String())
	case []any:
		for _, e := range v {
			l.jsonValue(e, key)
		}
	case map[string]any:
		for k, e := range v {
			l.jsonValue(e, k)
		}
	}
}

// field learns the value of a field. A docker login is user:password in base64.
func (l leaves) field(key, value string) {
	l.learn(value)
	if strings.EqualFold(key, "auth") {
		if raw, err := base64.StdEncoding.DecodeString(value); err == nil {
			user, password, _ := strings.Cut(string(raw), ":")
			l.learn(password)
			l.set.addWhole(user)
		}
	}
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
)

// pem learns the bodies of PEM blocks, and what is between them as lines.
func (l leaves) pem(text string) {
	var body, rest strings.Builder
	inside := false
	for line := range strings.Lines(strings.ReplaceAll(text, `\n`, "\n")) {
		switch trimmed := strings.TrimSpace(line); {
		case strings.Contains(trimmed, pemBegin):
			inside = true
		case strings.Contains(trimmed, pemEnd):
			inside = false
			l.set.add(body.String(), opaque)
			body.Reset()
		case inside:
			l.learnLine(trimmed)
			body.WriteString(line)
		default:
			rest.WriteString(line)
		}
	}
	l.set.add(body.String(), opaque) // of a block that does not end
	if strings.TrimSpace(rest.String()) != "" {
		l.learn(rest.String())
	}
}

// learnLine adds a line as it is, without looking for a structure in it.
func (l leaves) learnLine(line string) {
	if line = strings.TrimSpace(line); !l.set.seen[line] {
		l.set.seen[line] = true
		l.set.add(line, opaque)
	}
}

// encoded learns what a value stands for that is base64 of a text, and reports
// whether it is.
func (l leaves) encoded(value string) bool {
	digits := strings.TrimRight(strings.NewReplacer("\n", "", "\r", "").Replace(value), "=")
	if len(digits) < 8 || strings.ContainsFunc(digits, func(r rune) bool { return r > '~' || !base64Digits.digit(byte(r)) }) {
		return false
	}
	raw := base64Digits.decode(nil, []byte(digits))
	if !isText(raw) {
		return false
	}
	l.learn(string(raw))
	return true
}

// ordinary reports whether a part of a value is a word of configuration that is
// in most of it, and no secret.
func ordinary(value string) bool {
	return constant(value) || ordinaryWords.MatchString(value)
}

var ordinaryWords = regexp.MustCompile(`(?i)^(localhost|production|development|staging|testing|default|enabled?|disabled?|required?|prefer(red)?|verify-(ca|full)|skip-verify|warning|notice|trace|verbose|master|primary|replica|standalone|cluster|public|internal|external|opaque|string|number|boolean|object|password|username|text/plain|application/json|0\.0\.0\.0|127\.0\.0\.1|utf8mb4|read-?write|read-?only|round-?robin)$`)
