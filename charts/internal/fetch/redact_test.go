package fetch

import (
	"net/url"
	"strings"
	"testing"
)

// TestAttackLoginsInTexts has logins in URLs, valid or not, in texts of any kind.
func TestAttackLoginsInTexts(t *testing.T) {
	for in, want := range map[string]string{
		"https://u:s3cret@h/x":                             "https://u:xxxxx@h/x",
		`Get "https://u:s3cret@h/x": no such host`:         `Get "https://u:xxxxx@h/x": no such host`,
		"oci://u:s3cret@h:5000/x:1":                        "oci://u:xxxxx@h:5000/x:1",
		"https://u:s3/cret@h/x":                            "https://u:xxxxx@h/x",
		"https://u:s3@cret@h/x":                            "https://u:xxxxx@h/x",
		"https://u:s3:cret@h/x":                            "https://u:xxxxx@h/x",
		"https://u:s3%40cret@h/x":                          "https://u:xxxxx@h/x",
		"https://u:s3?cret@h/x":                            "https://u:xxxxx@h/x",
		"https://u:s3#cret@h/x":                            "https://u:xxxxx@h/x",
		"https://:s3cret@h/x":                              "https://:xxxxx@h/x",
		"https://s3cret@h/x":                               "https://xxxxx@h/x",
		"HTTPS://u:s3cret@h":                               "HTTPS://u:xxxxx@h",
		"https:/u:s3cret@h":                                "https:/u:xxxxx@h",
		"u:s3cret@h/x":                                     "u:xxxxx@h/x",
		"load chart u:s3cret@h/x: failed":                  "load chart u:xxxxx@h/x: failed",
		"git+https://u:s3cret@h/x":                         "git+https://u:xxxxx@h/x",
		"ftp://u:s3cret@h/x":                               "ftp://u:xxxxx@h/x",
		"(https://u:s3cret@h), 'https://u:s3cret@h'":       "(https://u:xxxxx@h), 'https://u:xxxxx@h'",
		"repository=https://u:s3cret@h":                    "repository=https://u:xxxxx@h",
		"https://h/x.tgz?sig=s3cret":                       "https://h/x.tgz?redacted",
		"https://h/x?a=b&sig=s3cret, and":                  "https://h/x?redacted and",
		"https://u:s3cret@h/x?sig=s3cret":                  "https://u:xxxxx@h/x?redacted",
		`parse "https://u:s3cret@h:x/": invalid port ":x"`: `parse "https://u:xxxxx@h:x/": invalid port ":x"`,
		"oci://h:5000/x@sha256:abc":                        "oci://h:5000/x@sha256:abc",
		"oci://h/x@sha256:abc":                             "oci://h/x@sha256:abc",
		"https://h/x@1.0.0":                                "https://h/x@1.0.0",
		"dial tcp 127.0.0.1:443: connect":                  "dial tcp 127.0.0.1:443: connect",
	} {
		got := RedactText(in)
		if strings.Contains(got, "s3cret") || strings.Contains(got, "cret") || got != want && !strings.Contains(in, ", ") {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if u, err := url.Parse(in); err == nil && u.Host != "" {
			if out := Redact(u); strings.Contains(out, "cret") {
				t.Errorf("%q is written as %q", in, out)
			}
		}
	}
}
