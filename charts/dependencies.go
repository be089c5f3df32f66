package charts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
	"github.com/fairlead-dev/fairlead/render"
)

// maxDepth bounds charts that depend on each other in a circle.
const maxDepth = 10

// dependency is an entry of Chart.yaml or of Chart.lock. All of Helm's fields, in its order: the digest of Chart.lock is a
// sum over their JSON.
type dependency struct {
	Name         string   `json:"name"`
	Version      string   `json:"version,omitempty"`
	Repository   string   `json:"repository"`
	Condition    string   `json:"condition,omitempty"`
	Tags         []string `json:"tags,omitempty"`
	Enabled      bool     `json:"enabled,omitempty"`
	ImportValues []any    `json:"import-values,omitempty"`
	Alias        string   `json:"alias,omitempty"`
}

// complete returns the chart with the dependencies that it lacks. Dir is its directory, "" if it has none.
func (l *loading) complete(ctx context.Context, chart *render.Chart, dir string, depth int) (*render.Chart, error) {
	info := chart.Info()
	wanted, locked, err := l.wanted(info)
	if err != nil {
		return nil, err
	}
	present, err := l.vendored(ctx, info)
	if err != nil {
		return nil, err
	}
	files := slices.Clone(info.Files)
	for i, dep := range wanted {
		if dep.isAmong(present) {
			continue
		}
		if locked != nil {
			dep.Version = locked[i].Version
		}
		fetched, err := l.resolve(ctx, dep, dir, depth)
		if err != nil {
			return nil, &DependencyError{Chart: info.Name, Name: dep.Name, Version: dep.Version, Repository: redacted(dep.Repository), Err: err}
		}
		child := fetched.Info()
		present = append(present, child)
		for _, file := range child.Files {
			files = append(files, render.File{Name: path.Join("charts", child.Name+"-"+child.Version, file.Name), Data: file.Data})
		}
	}
	if len(files) == len(info.Files) {
		return chart, nil
	}
	return l.loader().Files(ctx, files)
}

func (l *loading) resolve(ctx context.Context, dep dependency, dir string, depth int) (*render.Chart, error) {
	if depth >= maxDepth {
		return nil, fmt.Errorf("charts depend on each other %d deep", maxDepth)
	}
	from := source{ref: dep.Name, repository: dep.Repository, version: dep.Version, depth: depth + 1}
	if dep.Repository == "" {
		return nil, errors.New("it is not in charts/, and Chart.yaml names no repository to get it from")
	}
	address, err := l.opts.User.address(dep.Repository)
	if err != nil {
		return nil, err
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return nil, fmt.Errorf("%w: a repository of a dependency is a URL, or @NAME", ErrUnknownRef)
	}
	if err := l.allowedScheme(scheme); err != nil {
		return nil, err
	}
	switch {
	case scheme == "oci":
		from.ref, from.repository = strings.TrimSuffix(address, "/")+"/"+dep.Name, ""
	case scheme == "file" && dir == "":
		return nil, errors.New("a file:// repository is for charts that lie in a directory")
	case scheme == "file":
		from.repository = ""
		if from.ref, from.root, err = l.dependencyPath(dir, rest); err != nil {
			return nil, err
		}
	}
	chart, err := l.load(ctx, from)
	if err != nil {
		return nil, err
	}
	if info := chart.Info(); info.Name != dep.Name || !satisfies(info.Version, dep.Version) {
		return nil, fmt.Errorf("%w: what is there is %s %s", ErrNoVersion, info.Name, info.Version)
	}
	return chart, nil
}

// wanted reads what Chart.yaml, or requirements.yaml, asks for, and what the lock file beside it makes of that; nil
// without one.
func (l *loading) wanted(info render.ChartInfo) (wanted, locked []dependency, err error) {
	var chart struct {
		APIVersion   string       `json:"apiVersion"`
		Dependencies []dependency `json:"dependencies"`
	}
	var lock struct {
		Digest       string       `json:"digest"`
		Dependencies []dependency `json:"dependencies"`
	}
	hasLock := false
	// In this order the older files count where the newer say nothing.
	for _, file := range []struct {
		name string
		into any
	}{{"requirements.yaml", &chart}, {"Chart.yaml", &chart}, {"requirements.lock", &lock}, {"Chart.lock", &lock}} {
		i := slices.IndexFunc(info.Files, func(f render.File) bool { return f.Name == file.name })
		if i < 0 {
			continue
		}
		if err := (yamlread.Decoder{}).Unmarshal(info.Files[i].Data, file.into); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", file.name, err)
		}
		hasLock = hasLock || file.into == any(&lock)
	}
	if !hasLock {
		return chart.Dependencies, nil, nil
	}
	digests, err := l.lockDigests(chart.Dependencies, lock.Dependencies)
	if err != nil {
		return nil, nil, err
	}
	if !slices.Contains(digests, lock.Digest) || len(lock.Dependencies) != len(chart.Dependencies) {
		return nil, nil, ErrLock
	}
	for i, dep := range lock.Dependencies {
		if dep.Name != chart.Dependencies[i].Name || !satisfies(dep.Version, chart.Dependencies[i].Version) {
			return nil, nil, fmt.Errorf("%w: %s %s is locked where %s %s is asked for", ErrLock, dep.Name, dep.Version, chart.Dependencies[i].Name, chart.Dependencies[i].Version)
		}
	}
	return chart.Dependencies, lock.Dependencies, nil
}

// lockDigests returns the digests that a lock may have: Helm 3's, with repositories by their names or by their URLs,
// and Helm 2's.
func (l *loading) lockDigests(wanted, locked []dependency) ([]string, error) {
	resolved := slices.Clone(wanted)
	for i, dep := range resolved {
		address, err := l.opts.User.address(dep.Repository)
		if err == nil {
			resolved[i].Repository = address
		}
	}
	var digests []string
	for _, value := range []any{[2][]dependency{wanted, locked}, [2][]dependency{resolved, locked}, map[string][]dependency{"dependencies": wanted}} {
		data, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("sum up Chart.lock: %w", err)
		}
		sum := sha256.Sum256(data)
		digests = append(digests, "sha256:"+hex.EncodeToString(sum[:]))
	}
	return digests, nil
}

func (d dependency) isAmong(present []render.ChartInfo) bool {
	return slices.ContainsFunc(present, func(info render.ChartInfo) bool {
		return info.Name == d.Name && satisfies(info.Version, d.Version)
	})
}

// vendored returns the charts in the folder charts/, packed or not.
func (l *loading) vendored(ctx context.Context, info render.ChartInfo) ([]render.ChartInfo, error) {
	var present []render.ChartInfo
	for _, file := range info.Files {
		rest, ok := strings.CutPrefix(file.Name, "charts/")
		if !ok {
			continue
		}
		switch folder, inside, _ := strings.Cut(rest, "/"); {
		case inside == "Chart.yaml":
			var metadata struct{ Name, Version string }
			if err := (yamlread.Decoder{}).Unmarshal(file.Data, &metadata); err != nil {
				return nil, fmt.Errorf("%s: %w", file.Name, err)
			}
			present = append(present, render.ChartInfo{Name: metadata.Name, Version: metadata.Version})
		case inside == "" && strings.HasSuffix(folder, ".tgz"):
			chart, err := l.loader().Archive(ctx, bytes.NewReader(file.Data))
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file.Name, err)
			}
			present = append(present, chart.Info())
		}
	}
	return present, nil
}

// maxRange is how long a range of versions may be.
const maxRange = 1000

// satisfies reports whether a version is the wanted one, or in the wanted range; "" is any.
func satisfies(version, wanted string) bool {
	if wanted == "" || version == wanted {
		return true
	}
	if len(wanted) > maxRange {
		return false
	}
	constraint, err := semver.NewConstraint(wanted)
	if err != nil {
		return false
	}
	v, err := semver.NewVersion(version)
	return err == nil && constraint.Check(v)
}

// sameVersion compares versions, with or without a v in front.
func sameVersion(a, b string) bool {
	return strings.TrimPrefix(a, "v") == strings.TrimPrefix(b, "v")
}
