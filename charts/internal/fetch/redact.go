package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
)

// Redact writes a URL without its password and its query, which may be a signature.
func Redact(u *url.URL) string {
	clean := *u
	if clean.RawQuery != "" {
		clean.RawQuery = "redacted"
	}
	return clean.Redacted()
}

var (
	userInfo = regexp.MustCompile(`(?i)([a-z][a-z0-9+.-]*:/{1,2}|^|[\s"'` + "`" + `(])([^\s/:@"'` + "`" + `]*):[^\s/@"'` + "`" + `]+@`)
	query    = regexp.MustCompile(`(?i)((?:https?|oci)://[^\s?"'` + "`" + `]*)\?[^\s"'` + "`" + `]+`)
)

// RedactText takes passwords and queries of URLs out of a text, also of those that are not valid.
func RedactText(text string) string {
	text = userInfo.ReplaceAllString(text, "${1}${2}:xxxxx@")
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
