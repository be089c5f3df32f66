package main

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"text/template"
)

// stagesFile is KWOK's configuration in a cluster's folder.
const stagesFile = "stages.yaml"

//go:embed stages/*.yaml
var stages embed.FS

// writeStages puts the stages together into KWOK's configuration. The files are
// templates with [[ ]] around what is filled in here, so that stages can share
// fragments; {{ }} is KWOK's own.
func writeStages(f *folder) error {
	t, err := template.New("").Delims("[[", "]]").ParseFS(stages, "stages/*.yaml")
	if err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	names, err := fs.Glob(stages, "stages/*.yaml")
	if err != nil {
		return fmt.Errorf("stages: %w", err)
	}
	var out bytes.Buffer
	for _, name := range names {
		fmt.Fprintf(&out, "---\n")
		if err := t.ExecuteTemplate(&out, name[len("stages/"):], nil); err != nil {
			return fmt.Errorf("stages: %w", err)
		}
	}
	return os.WriteFile(f.file(stagesFile), out.Bytes(), 0o600)
}
