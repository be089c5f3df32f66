package chartfile

import (
	"bytes"
	"io/fs"

	"helm.sh/helm/v3/pkg/ignore"
)

// Ignore is the rules of a .helmignore file.
type Ignore struct{ rules *ignore.Rules }

// ParseIgnore reads the text of a .helmignore file; nil text gives the rules
// that always hold.
func ParseIgnore(text []byte) (Ignore, error) {
	rules, err := ignore.Parse(bytes.NewReader(text))
	if err != nil {
		return Ignore{}, err
	}
	rules.AddDefaults()
	return Ignore{rules}, nil
}

// Ignores says whether the file or folder at the path is left out.
func (i Ignore) Ignores(path string, info fs.FileInfo) bool { return i.rules.Ignore(path, info) }
