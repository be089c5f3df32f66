package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// hidden stands for what was left out of a URL.
const hidden = "xxxxx"

// Redact returns a URL without its password and its query, which may be a
// signature. A user without a password may be a token.
func Redact(u *url.URL) string {
	clean := *u
	if clean.RawQuery != "" {
		clean.RawQuery = "redacted"
	}
	if _, both := clean.User.Password(); clean.User != nil && !both {
		clean.User = url.User(hidden)
	}
	return clean.Redacted()
}

var (
	// userInfo also matches a password with signs that a URL must escape, but not
	// a port and a path with an @ in it.
	userInfo = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:/{1,3}|^|[\s"'` + "`" + `(<=,])([^\s/:@"'` + "`" + `]*):([^\s"'` + "`" + `]+)@`)
	fullURL  = regexp.MustCompile(`(?i)^(.*?[a-z][a-z0-9+.-]*:/{1,3})([^\s/:@]*):([^\s]+)@$`)
	port     = regexp.MustCompile(`^[0-9]{1,5}/`)
	token    = regexp.MustCompile(`(?i)((?:https?|oci):/{1,3})[^\s/:@"'` + "`" + `]+@`)
	query    = regexp.MustCompile(`(?i)((?:https?|oci)://[^\s?"'` + "`" + `]*)\?[^\s"'` + "`" + `]+`)
)

// withoutPassword returns a match of userInfo without the password in it.
func withoutPassword(found string) string {
	m := userInfo.FindStringSubmatch(found)
	if strings.HasPrefix(m[3], "/") && !strings.HasSuffix(m[1], "/") { // what looks like a user is a scheme
		if m = fullURL.FindStringSubmatch(found); m == nil {
			return found
		}
	}
	if port.MatchString(m[3]) {
		return found
	}
	return m[1] + m[2] + ":" + hidden + "@"
}

// RedactText takes passwords, tokens and queries of URLs out of a text, also of
// those that are not valid.
func RedactText(text string) string {
	text = userInfo.ReplaceAllStringFunc(text, withoutPassword)
	text = token.ReplaceAllString(text, "${1}"+hidden+"@")
	return query.ReplaceAllString(text, "${1}?redacted")
}

// requestError is an error of a request without what its URL keeps secret.
func requestError(err error) error {
	var failure *url.Error
	if !errors.As(err, &failure) {
		return err
	}
	return fmt.Errorf("%s %s: %w", failure.Op, RedactText(failure.URL), failure.Err)
}
