package main

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"text/template"
)

// stagesFile is KWOK's configuration in a cluster's folder.
const stagesFile = "stages.yaml"

//go:embed stages/*.yaml
var stages embed.FS

// writeStages renders the stages to KWOK's configuration. The files are templates
// with the delimiters <% %>, so that stages can share fragments; {{ }} is
// evaluated by KWOK.
func writeStages(f *folder) error {
	t, err := template.New("").Delims("<%", "%>").Funcs(template.FuncMap{"json": quote, "lower": strings.ToLower}).ParseFS(stages, "stages/*.yaml")
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
		if err := t.ExecuteTemplate(&out, name[len("stages/"):], map[string]any{"Stages": podStages()}); err != nil {
			return fmt.Errorf("stages: %w", err)
		}
	}
	return os.WriteFile(f.file(stagesFile), out.Bytes(), 0o600)
}

// quote returns a text as a YAML string.
func quote(text string) string { return fmt.Sprintf("%q", text) }
