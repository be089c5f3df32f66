package engine

import (
	"fmt"
	"regexp"
	"strings"
)

// readable is a message of the API server as the report shows it: without the
// name of an object that has none, without the steps that failed on the way, and
// without values in Go's notation. A value of the wrong type is described; its
// text is left out if secret is set.
func readable(text string, secret bool) string {
	var lines []string
	list := false // structured-merge-diff's list of errors
	for line := range strings.Lines(noise.ReplaceAllString(text, "")) {
		line = strings.TrimRight(line, "\n")
		if rest, ok := strings.CutSuffix(line, "errors:"); ok && !list {
			list = true
			lines = append(lines, rest)
			continue
		}
		line = decodingFailed(wrongType(line, secret))
		if list {
			lines = append(lines, strings.TrimPrefix(strings.TrimSpace(line), "."))
			continue
		}
		lines = append(lines, dotted.ReplaceAllString(line, "$1$2"))
	}
	if list {
		return strings.TrimSpace(lines[0] + strings.Join(lines[1:], "; "))
	}
	return strings.TrimSpace(withoutGoValues(strings.Join(withoutDifference(lines), "\n")))
}

// hunk matches the line that begins a difference of two values.
var hunk = regexp.MustCompile(`^@@ -\d+(,\d+)? \+\d+(,\d+)? @@`)

// withoutDifference are the lines of a message without differences of values in
// Go's notation, of which each line begins with a sign or a space.
func withoutDifference(lines []string) []string {
	var out []string
	within := false
	for _, line := range lines {
		if hunk.MatchString(line) {
			within = true
			continue
		}
		if within = within && line != "" && strings.Contains("+- \u00a0", line[:1]); !within {
			out = append(out, line)
		}
	}
	return out
}

// dotted matches the dot before a path at the beginning of a message.
var dotted = regexp.MustCompile(`^(\s*)\.([a-zA-Z][^\s:]*: )`)

// noise is what precedes the reason in messages of the API server: which of its
// steps failed, and an object without a name.
var noise = regexp.MustCompile(`failed to create manager for existing fields: |failed to create typed patch object \([^)]*\): |failed to convert (?:new|patch) (?:typed )?object \([^)]*\) to (?:proper version|smd typed|object)(?: \([^)]*\))?: |unable to convert unstructured object to \S+, Kind=\S+: |^\S+ "" (is (invalid|forbidden): )?|\S+ in version "[^"]*" cannot be handled as a \S+: |unable to decode "[^"]*": |<nil>: Invalid value: "": `)

// gotGo matches the end of a message about a value of the wrong type, which has
// the value in Go's notation.
var gotGo = regexp.MustCompile(`expected ([a-z]+(?: \([^)]*\))?), got (?:&value\.valueUnstructured\{Value:(.*)\}|&\{(.*)\}|(\S.*))$`)

// wrongType describes the value of the wrong type in one line.
func wrongType(line string, secret bool) string {
	line = strings.Replace(line, "associative list with keys may not have non-map elements", "expected a mapping", 1)
	m := gotGo.FindStringSubmatchIndex(line)
	if m == nil {
		return line
	}
	group := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return line[m[2*i]:m[2*i+1]]
	}
	value := group(2) + group(3)
	got := kindOfGo(value, secret)
	if t := group(4); t != "" { // only the type is known
		got = withArticle(t)
	}
	return line[:m[0]] + "expected " + withArticle(group(1)) + ", got " + got
}

// goNumber matches numbers in Go's notation.
var goNumber = regexp.MustCompile(`^-?[0-9][0-9.e+-]*$`)

func kindOfGo(value string, secret bool) string {
	kind, text := "string", value
	switch {
	case strings.HasPrefix(value, "map["):
		return "a mapping"
	case strings.HasPrefix(value, "["):
		return "a list"
	case value == "<nil>", value == "interface {}(nil)":
		return "null"
	case value == "true", value == "false":
		kind = "boolean"
	case goNumber.MatchString(value):
		kind = "number"
	default:
		text = fmt.Sprintf("%q", strings.Trim(value, `"`))
	}
	if secret {
		return "a " + kind
	}
	return "the " + kind + " " + text
}

// withArticle is a type of a schema or of JSON in words.
func withArticle(t string) string {
	switch t, _, _ := strings.Cut(t, " "); t {
	case "map", "object":
		return "a mapping"
	case "list", "array":
		return "a list"
	case "numeric", "number", "int64", "int", "float64":
		return "a number"
	case "bool", "boolean":
		return "a boolean"
	case "string":
		return "a string"
	case "nil", "<nil>":
		return "null"
	}
	return t
}

// undecodable matches the JSON decoder's report about a value of the wrong type.
var undecodable = regexp.MustCompile(`json: cannot unmarshal (\w+) into Go (?:struct field [A-Za-z0-9]+\.(\S+)|value) of type (\S+)`)

// decodingFailed says in one line which field has a value of the wrong type.
func decodingFailed(line string) string {
	return undecodable.ReplaceAllStringFunc(line, func(found string) string {
		m := undecodable.FindStringSubmatch(found)
		text := "expected " + goType(m[3]) + ", got " + withArticle(m[1])
		if m[2] != "" {
			text = m[2] + ": " + text
		}
		return text
	})
}

func goType(t string) string {
	switch {
	case t == "string":
		return "a string"
	case t == "bool":
		return "a boolean"
	case strings.HasPrefix(t, "[]"):
		return "a list"
	case strings.HasPrefix(t, "int"), strings.HasPrefix(t, "uint"), strings.HasPrefix(t, "float"):
		return "a number"
	}
	return "a mapping"
}

// goValue matches the beginning of a composite literal in Go's notation: of a
// named type, a list, or a map. A difference of two structs begins on a line of
// its own, with signs in front of it.
var goValue = regexp.MustCompile(`(?:\n[-+\s\x{a0}]*)?(?:&|\*)*(?:\[\d*\]|map\[[^\]\s]*\])*(?:[a-z][A-Za-z0-9]*\.[A-Z][A-Za-z0-9]*|\b(?:string|int32|int64))\{`)

// goJSON matches the beginning of a value as JSON whose fields have Go's names.
var goJSON = regexp.MustCompile(`Invalid value: \{"[A-Z]`)

// withoutGoValues is a message without composite values in Go's notation. What
// they are the value of is kept: "Invalid value: v1.LabelSelector{...}: field is
// immutable" becomes "field is immutable".
func withoutGoValues(text string) string {
	for {
		at := goJSON.FindStringIndex(text)
		if at == nil {
			break
		}
		open := at[0] + strings.IndexByte(text[at[0]:at[1]], '{')
		text = text[:at[0]] + strings.TrimPrefix(text[closing(text, open+1):], ": ")
	}
	var b strings.Builder
	for {
		at := goValue.FindStringIndex(text)
		if at == nil {
			b.WriteString(text)
			return b.String()
		}
		end := closing(text, at[1])
		before, after := text[:at[0]], text[end:]
		if trimmed, ok := strings.CutSuffix(before, "Invalid value: "); ok {
			before, after = trimmed, strings.TrimPrefix(after, ": ")
		} else if !strings.HasPrefix(text[at[0]:], "\n") {
			before += "…"
		}
		b.WriteString(before)
		text = after
	}
}

// closing is the index behind the brace that closes the one before from; the
// end of the text if there is none.
func closing(text string, from int) int {
	depth, quoted := 1, byte(0)
	for i := from; i < len(text); i++ {
		c := text[i]
		switch {
		case quoted != 0:
			if c == '\\' && quoted == '"' {
				i++
			} else if c == quoted {
				quoted = 0
			}
		case c == '"', c == '`':
			quoted = c
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}
