package chartfile

import (
	"bytes"
	"io/fs"

	"helm.sh/helm/v3/pkg/ignore"
)

// Ignore is the rules of a .helmignore file.
type Ignore struct{ rules *ignore.Rules }

// ParseIgnore reads the text of a .helmignore file; nil text gives the rules
// that always apply. The line is that of a pattern that is invalid, from 1.
func ParseIgnore(text []byte) (i Ignore, line int, err error) {
	rules, err := ignore.Parse(bytes.NewReader(text))
	if err != nil {
		for pattern := range bytes.Lines(text) {
			line++
			if _, err := ignore.Parse(bytes.NewReader(pattern)); err != nil {
				return Ignore{}, line, err
			}
		}
		return Ignore{}, 0, err
	}
	rules.AddDefaults()
	return Ignore{rules}, 0, nil
}

// Ignores reports whether the file or folder at the path is left out.
func (i Ignore) Ignores(path string, info fs.FileInfo) bool { return i.rules.Ignore(path, info) }
