package diff

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the wanted texts in testdata")

// TestScenarios reads testdata/*.txtar: NAME/base.yaml, live.yaml,
// desired.yaml and merged.yaml for each object in order, and the expected
// outputs: want.txt, want-verbose.txt, want-narrow.txt. The comment's lines
// "former: NAME" and "force" set options.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rep := scenario(t, ar)
			texts := map[string]func() string{
				"want.txt":         func() string { return text(t, rep, TextOptions{}) },
				"want-verbose.txt": func() string { return text(t, rep, TextOptions{Verbose: true}) },
				"want-narrow.txt":  func() string { return text(t, rep, TextOptions{Width: 60}) },
				"want-color.txt": func() string {
					return strings.ReplaceAll(text(t, rep, TextOptions{Color: true}), "\x1b", "^")
				},
				"want.md": func() string { return markdown(t, rep, MarkdownOptions{}) },
			}
			for i, f := range ar.Files {
				produce := texts[f.Name]
				if produce == nil {
					continue
				}
				got := produce()
				if *update {
					ar.Files[i].Data = []byte(got)
				} else if got != string(f.Data) {
					t.Errorf("%s: got\n%s\nwant\n%s", f.Name, got, f.Data)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			roundTrip(t, rep)
		})
	}
}

func scenario(t *testing.T, ar *txtar.Archive) Report {
	t.Helper()
	var names []string
	states := map[string]*Input{}
	for _, f := range ar.Files {
		name, state, ok := strings.Cut(f.Name, "/")
		if !ok {
			continue
		}
		if states[name] == nil {
			names = append(names, name)
			states[name] = &Input{Manager: "fairlead"}
		}
		u := object(t, string(f.Data))
		switch state {
		case "base.yaml":
			states[name].Base = u
		case "live.yaml":
			states[name].Live = u
		case "desired.yaml":
			states[name].Desired = u
		case "merged.yaml":
			states[name].Merged = u
		default:
			t.Fatalf("unknown state %s", f.Name)
		}
	}
	var opts Options
	var rep Report
	for _, line := range strings.Split(string(ar.Comment), "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "title":
			rep.Title = strings.TrimSpace(value)
		case "former":
			opts.FormerManagers = append(opts.FormerManagers, strings.TrimSpace(value))
		case "force":
			opts.Force = true
		case "key":
			opts.Secrets = &Redactor{}
		}
	}
	var all []*unstructured.Unstructured
	for _, n := range names {
		in := states[n]
		all = append(all, in.Base, in.Live, in.Desired, in.Merged)
	}
	key := RedactorOptions{}
	if opts.Secrets != nil {
		key.Key = []byte("golden")
	}
	opts.Secrets = NewRedactor(key, all...)
	for _, n := range names {
		ch, err := Compare(*states[n], opts)
		if err != nil {
			t.Fatal(err)
		}
		rep.Changes = append(rep.Changes, ch)
	}
	return rep
}

func object(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: m}
}

func text(t testing.TB, rep Report, o TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := rep.WriteText(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func markdown(t testing.TB, rep Report, o MarkdownOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := rep.WriteMarkdown(&b, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func roundTrip(t *testing.T, rep Report) {
	t.Helper()
	data, err := json.Marshal(rep)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(rep, back) {
		t.Errorf("JSON round trip: got %#v, want %#v", back, rep)
	}
}
