package main

import (
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences, by their SPDX names, that require a distributor of
// the library no more than to name its authors or, MPL-2.0, to publish changes of
// the files themselves.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MPL-2.0", "Unlicense"}

// isLicence reports whether a file at a module's root has its licence, by name.
// LICENSE.docs is that of the documentation.
func isLicence(name string) bool {
	name = strings.ToLower(name)
	return name != "license.docs" && (strings.HasPrefix(name, "license") || strings.HasPrefix(name, "licence") || strings.HasPrefix(name, "copying") || name == "unlicense")
}

// licencesIn returns the licences whose text is in a file, by their SPDX names;
// none if it has no known licence.
func licencesIn(text string) []string {
	var out []string
	for _, m := range licensecheck.Scan([]byte(text)).Match {
		if !m.IsURL {
			out = append(out, m.ID)
		}
	}
	return out
}
