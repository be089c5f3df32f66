package yamlread

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// mayBeTyped is false for the first character of scalars that are strings for sure.
func mayBeTyped(first byte) bool {
	switch first {
	case 'y', 'Y', 'n', 'N', 't', 'T', 'f', 'F', 'o', 'O', '~', '.', '+', '-':
		return true
	}
	return first >= '0' && first <= '9'
}

// Typed reports whether a plain scalar would be read as something else than a
// string by the rules of YAML 1.1.
func Typed(s string) bool {
	if s == "" {
		return true
	}
	if !mayBeTyped(s[0]) {
		return false
	}
	switch s[0] {
	case 'y', 'Y', 'n', 'N', 't', 'T', 'f', 'F', 'o', 'O', '~':
		return len(s) <= 5 && s != "type" && s != "name" && yamlWords[s]
	case '.':
		if yamlWords[s] {
			return true
		}
		_, err := strconv.ParseFloat(s, 64)
		return err == nil
	case '+', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return yamlWords[s] || numeric(s)
	}
	return false
}

var yamlWords = func() map[string]bool {
	words := map[string]bool{"~": true}
	for word := range strings.FieldsSeq("y yes true on n no false off null .nan .inf +.inf -.inf") {
		head := strings.TrimLeft(word, "+-.")
		sign := word[:len(word)-len(head)]
		words[word] = true
		words[strings.ToUpper(word)] = true
		words[sign+strings.ToUpper(head[:1])+head[1:]] = true
	}
	words[".NaN"] = true
	delete(words, ".Nan")
	return words
}()

var (
	yamlFloat  = regexp.MustCompile(`^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`)
	yamlBase60 = regexp.MustCompile(`^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$`)
)

// numeric reports whether what begins like a number is a number or a time.
func numeric(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		case strings.IndexByte("xXoObB_+-.:TtZ ", c) >= 0:
		default:
			return false
		}
	}
	if isTime(s) || strings.IndexByte(s, ':') >= 0 && yamlBase60.MatchString(s) {
		return true
	}
	digits := strings.ReplaceAll(s, "_", "")
	if _, err := strconv.ParseInt(digits, 0, 64); err == nil {
		return true
	}
	if _, err := strconv.ParseUint(digits, 0, 64); err == nil {
		return true
	}
	if yamlFloat.MatchString(digits) {
		if _, err := strconv.ParseFloat(digits, 64); err == nil {
			return true
		}
	}
	if bits, ok := strings.CutPrefix(digits, "0b"); ok {
		_, signed := strconv.ParseInt(bits, 2, 64)
		_, unsigned := strconv.ParseUint(bits, 2, 64)
		return signed == nil || unsigned == nil
	}
	if bits, ok := strings.CutPrefix(digits, "-0b"); ok {
		_, err := strconv.ParseInt("-"+bits, 2, 64)
		return err == nil
	}
	return false
}

// isTime reports a timestamp in one of the forms that the YAML library reads.
func isTime(s string) bool {
	year := 0
	for year < len(s) && s[year] >= '0' && s[year] <= '9' {
		year++
	}
	if year != 4 || len(s) == 4 || s[4] != '-' {
		return false
	}
	for _, layout := range []string{
		"2006-1-2T15:4:5.999999999Z07:00", "2006-1-2t15:4:5.999999999Z07:00", "2006-1-2 15:4:5.999999999", "2006-1-2",
	} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}
