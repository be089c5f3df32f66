package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"text/template"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

const (
	figures = "docs/versions.json" // what the page is made of
	page    = "docs/versions.md"
)

// write replaces the figures of the versions that were tested, and writes the page
// of all figures.
func write(results []result) error {
	all, err := read()
	if err != nil {
		return err
	}
	for _, r := range results {
		all = slices.DeleteFunc(all, func(old result) bool { return minor(old.Version) == minor(r.Version) })
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b result) int { return strings.Compare(a.Version, b.Version) })
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(figures, append(data, '\n'), 0o666); err != nil {
		return err
	}
	own, err := testcluster.KubernetesVersion("")
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := text.Execute(&b, map[string]any{"Results": all, "Own": own, "Oldest": minor(all[0].Version), "Newest": minor(own)}); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(b.String()), 0o666)
}

func read() (all []result, err error) {
	data, err := os.ReadFile(figures)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", figures, err)
	}
	return all, nil
}

// minor is 1.34 of v1.34.2.
func minor(version string) string {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	return strings.Join(parts[:min(2, len(parts))], ".")
}

var text = template.Must(template.New("").Parse(`# Versions of Kubernetes

Supported are Kubernetes {{ .Oldest }} to {{ .Newest }}. All tests run on {{ .Own }}, the version of the test
cluster. Those of the engine, of charts and of merging also ran on the control planes below, each built
from Kubernetes' own modules, with the tests of upgrades to the next one.

| Kubernetes | Passed | Skipped | Failed | Upgraded to |
| --- | --- | --- | --- | --- |
{{ range .Results }}| {{ .Version }} | {{ .Passed }} | {{ len .Skipped }} | {{ len .Failed }} | {{ .Next }} |
{{ end }}
{{- range .Results }}{{ $version := .Version }}
{{- range $name, $why := .Skipped }}
- Skipped on {{ $version }}: ` + "`{{ $name }}`" + `: {{ $why }}.
{{- end }}
{{- range .Failed }}
- Failed on {{ $version }}: ` + "`{{ . }}`" + `.
{{- end }}
{{- end }}

## What differs, and what becomes of it

| Difference | What the engine does |
| --- | --- |
| a field that the schema of the API server lacks | a problem of the plan, or left out with a warning; see [plans](plans.md#unknown-fields-and-fields-that-only-the-api-server-sets) |
| a field of a feature that is off or missing: accepted, not stored | a warning of the plan, and a ` + "`Warning`" + ` event where a write shows it |
| a kind, or a version of one, that is not served yet | ` + "`ErrUnknownKind`" + `, before anything is written |
| an object that was deployed in a version that is no longer served | it is read, changed and deleted in one that is served, with a warning |
| defaults, conversions, validation | those of the API server: what changes is asked of it by a dry-run |
| a kind that is served only since an upgrade | found by the next call, without a new engine; templates see the new version and its kinds in ` + "`.Capabilities`" + ` within five minutes |
| API servers of two versions behind one address | what one of them shows in a dry-run the other one may store otherwise: the next deploy corrects it |
| an upgrade during a deploy | requests are tried again until the API server is back |

` + "`.Capabilities`" + ` of templates are the API server's own version, as it writes it, and all that it serves, as
with Helm.

## Test another version

` + "`make test-versions`" + ` runs the tests on all of them and writes this page; ` + "`go run ./test/versions -only 1.34`" + `
does one. ` + "`make cluster VERSION=1.34`" + ` runs the control plane of one, ` + "`make demo VERSION=1.34`" + ` the
demonstration on it. ` + "`test/cluster/versions/new.sh 1.33.6`" + ` adds a version: any whose modules are all
published and build with the Go version of this module. Kubernetes 1.31 lacks some, and 1.38 needs
Go 1.27. The engine asks for no version anywhere.
`))
