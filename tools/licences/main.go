// Command licences lists the modules that are compiled into the library, each
// with the licence in its files, and fails if a licence is not allowed. It only
// reads the module cache.
//
//	go run ./licences -root ..           writes ../docs/licences.md
//	go run ./licences -root .. -check    fails if that is out of date
package main

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	root := flag.String("root", "..", "folder of the library's module")
	check := flag.Bool("check", false, "compare with docs/licences.md and write nothing")
	flag.Parse()
	if err := run(*root, *check); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// module is a dependency.
type module struct{ path, version, folder string }

func run(root string, check bool) error {
	found, err := modules(root)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	page.WriteString("# Licences\n\nWhat the library compiles in, beside Go's own. `make licences` writes this page; `make check` fails\nwhere it is out of date, or a licence is not one of " + strings.Join(allowed, ", ") + ".\n\n| Module | Version | Licence |\n| --- | --- | --- |\n")
	var refused []error
	for _, m := range found {
		names, err := m.licences()
		if err != nil {
			refused = append(refused, err)
			continue
		}
		if err := refusal(m, names); err != nil {
			refused = append(refused, err)
		}
		fmt.Fprintf(&page, "| %s | %s | %s |\n", m.path, m.version, strings.Join(names, ", "))
	}
	if err := errors.Join(refused...); err != nil {
		return err
	}
	file := filepath.Join(root, "docs", "licences.md")
	if !check {
		return os.WriteFile(file, page.Bytes(), 0o644)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Equal(old, page.Bytes()) {
		return errors.New("docs/licences.md is out of date: run make licences")
	}
	return nil
}

// refusal returns an error if one of a module's licences is not allowed.
func refusal(m module, names []string) error {
	for _, name := range names {
		if !slices.Contains(allowed, name) {
			return fmt.Errorf("%s %s is licensed under %s, which is not allowed", m.path, m.version, name)
		}
	}
	return nil
}

// systems are the supported ones; their packages differ.
var systems = []string{"linux", "darwin", "windows"}

// modules returns the modules of the packages that the library's packages
// import, without those of tests, by path.
func modules(root string) ([]module, error) {
	var out []module
	for _, system := range systems {
		cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./...")
		cmd.Dir, cmd.Stderr = root, os.Stderr
		cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0", "GOWORK=off")
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("list the dependencies on %s: %w", system, err)
		}
		for line := range strings.Lines(string(text)) {
			if part := strings.Split(strings.TrimSpace(line), "\t"); len(part) == 3 {
				out = append(out, module{part[0], part[1], part[2]})
			}
		}
	}
	slices.SortFunc(out, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return slices.Compact(out), nil
}

// licences returns the licences in the files at the module's root.
func (m module) licences() ([]string, error) {
	files, err := os.ReadDir(m.folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if !isLicence(file.Name()) || file.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.folder, file.Name()))
		if err != nil {
			return nil, err
		}
		names = append(names, licencesIn(string(text))...)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return nil, fmt.Errorf("%s %s: no licence is recognised in %s", m.path, m.version, m.folder)
	}
	return names, nil
}
