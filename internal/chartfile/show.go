package chartfile

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// show writes what was found for an error. A text is only written where it is a
// plain short word, a number where it is a small one: what else a user has put at
// a wrong place may be a secret.
func show(v any, path []string) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	case bool, string, float64, int64, int:
		for _, key := range path {
			if Secretive(key) {
				return fmt.Sprintf("a hidden value of type %s", typeName(v))
			}
		}
		data, err := json.Marshal(v)
		if err != nil {
			return typeName(v)
		}
		return shown(v, string(data))
	}
	return fmt.Sprintf("%T", v)
}

var (
	plainWord   = regexp.MustCompile(`^[A-Za-z][a-z]{0,11}$|^$`)
	smallNumber = regexp.MustCompile(`^-?[0-9]{1,5}$`)
)

func shown(v any, text string) string {
	switch v := v.(type) {
	case string:
		if !plainWord.MatchString(v) {
			return fmt.Sprintf("a text of %d characters", utf8.RuneCountInString(v))
		}
	case float64, int64, int:
		if !smallNumber.MatchString(text) {
			return "a number"
		}
	}
	return text
}

func typeName(v any) string {
	switch v.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	}
	return "number"
}

// Secretive reports whether the value of a key may be a secret.
func Secretive(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{
		"password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "api-key", "private", "credential", "auth",
		"accesskey", "access_key", "pwd", "dsn", "connectionstring", "connection_string", "license", "licence", "salt", "cert",
	} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return key == "pin" || key == "pass" || key == "key"
}
