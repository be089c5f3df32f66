package redact

import (
	"net/url"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxYAML is the size from which a value is not parsed as YAML, but only line by
// line.
const maxYAML = 256 << 10

// yaml learns the scalars of a YAML document that is a mapping or a list.
// Aliases are not followed: their anchors are in the document.
func (l leaves) yaml(text string) bool {
	if len(text) > maxYAML || !strings.Contains(text, ": ") && !strings.Contains(text, ":\n") && !strings.HasPrefix(text, "- ") {
		return false
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	found := false
	for {
		var doc yaml.Node
		if d.Decode(&doc) != nil {
			return found
		}
		if len(doc.Content) != 1 || doc.Content[0].Kind == yaml.ScalarNode {
			return found
		}
		l.yamlNode(doc.Content[0], 0)
		found = true
	}
}

func (l leaves) yamlNode(n *yaml.Node, depth int) {
	switch {
	case depth > 100:
	case n.Kind == yaml.ScalarNode:
		l.learn(n.Value)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			l.yamlNode(item, depth+1)
		}
	case n.Kind == yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			if value := n.Content[i]; value.Kind == yaml.ScalarNode {
				l.field(n.Content[i-1].Value, value.Value)
			} else {
				l.yamlNode(value, depth+1)
			}
		}
	}
}

// keyValue matches a line of properties, an env file or an INI file, of a script
// that exports variables, or of JSON and YAML that do not parse as a whole.
var keyValue = regexp.MustCompile(`^(?:export |set |-\s+)?["']?[\w.\-/\[\]$]{1,100}["']?\s*(?:[:=]|\?=|:=|=>)\s*(.*)$`)

// lines learns the values of a file of lines, and lines without a key as they
// are. It reports whether most have one.
func (l leaves) lines(text string) bool {
	keys, others := 0, 0
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "", line[0] == '#', line[0] == '[' && line[len(line)-1] == ']' && !strings.ContainsAny(line, `"',`):
		case l.line(line):
			keys++
		default:
			others++
			if words := strings.Fields(line); len(words) == 2 {
				l.learn(unquoted(words[1]))
			}
			l.learnLine(line)
			if !l.url(line) {
				l.pairs(line)
			}
		}
	}
	return keys > 0 && keys >= others
}

// line learns the value of a line with a key, and what is behind words such as
// password. It reports whether there is a key.
func (l leaves) line(line string) bool {
	l.words(line)
	m := keyValue.FindStringSubmatch(line)
	if m == nil || strings.HasPrefix(m[1], "//") || strings.Trim(m[1], "=") == "" {
		return false
	}
	l.learn(unquoted(m[1]))
	return true
}

func unquoted(value string) string {
	value = strings.TrimSpace(strings.TrimRight(strings.TrimSpace(value), ",;"))
	if len(value) > 1 && (value[0] == '"' || value[0] == '\'') {
		if end := strings.LastIndexByte(value, value[0]); end > 0 {
			return value[1:end]
		}
	}
	for _, comment := range []string{" #", " ;"} {
		if i := strings.Index(value, comment); i > 0 {
			value = strings.TrimSpace(value[:i])
		}
	}
	return value
}

var (
	secretWord = regexp.MustCompile(`(?i)^-{0,2}[\w.-]*(pass|password|passwd|passphrase|secret|token|key|auth|credential)[\w.-]*$`)
	element    = regexp.MustCompile(`>([^<>]+)<|\w="([^"]*)"`)
)

// words learns, of a line of words, what is behind one such as "password", and
// the texts and attributes of XML.
func (l leaves) words(line string) {
	words := strings.Fields(line)
	for i := 1; i < len(words); i++ {
		if secretWord.MatchString(words[i-1]) {
			l.learn(unquoted(words[i]))
		}
	}
	if strings.Contains(line, "<") {
		for _, m := range element.FindAllStringSubmatch(line, -1) {
			l.learn(m[1])
			l.learn(m[2])
		}
	}
}

// login matches a login before a host in the forms without a scheme.
var login = regexp.MustCompile(`^([^:@\s/]+):(.+)@[^@]*$`)

// url learns the login and the query of a URL or a connection string of one
// line: scheme://user:password@host/path?key=value, user:password@tcp(host)/db.
func (l leaves) url(text string) bool {
	if strings.Contains(text, "\n") {
		return false
	}
	_, rest, ok := strings.Cut(text, "://")
	if !ok {
		m := login.FindStringSubmatch(text)
		if m == nil {
			return false
		}
		l.user(m[1])
		l.password(m[2])
		return true
	}
	before, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(before, '@'); at >= 0 {
		user, password, both := strings.Cut(before[:at], ":")
		l.password(password)
		if both {
			l.user(user)
		} else {
			l.password(user) // a token
		}
	} else if at := strings.LastIndexByte(rest, '@'); at >= 0 { // a password with a question mark in it
		_, password, _ := strings.Cut(rest[:at], ":")
		l.password(password)
	}
	l.pairs(query)
	return true
}

func (l leaves) user(user string) {
	l.set.addWhole(user)
	if decoded, err := url.PathUnescape(user); err == nil {
		l.set.addWhole(decoded)
	}
}

func (l leaves) password(password string) {
	l.learn(password)
	if decoded, err := url.PathUnescape(password); err == nil {
		l.learn(decoded)
	}
}

// pair matches key=value in a list.
var pair = regexp.MustCompile(`[\w.\- ]{1,100}=("[^"]*"|'[^']*'|[^;,&\s"']+)`)

// pairs learns the values of a list key=value, separated by ; , & or spaces.
func (l leaves) pairs(text string) bool {
	found := pair.FindAllStringSubmatch(text, -1)
	for _, m := range found {
		value := unquoted(m[1])
		if value == text {
			continue
		}
		l.learn(value)
		if decoded, err := url.QueryUnescape(value); err == nil {
			l.learn(decoded)
		}
	}
	return len(found) > 0 && len(found[0][0]) < len(text)+1 && !strings.HasSuffix(text, "=")
}
