// Package kustomize runs kustomizations in memory: no process, no network, no
// file of the machine. It is the one place that knows kustomize's types.
package kustomize

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"sync"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// File is a file that kustomizations may refer to, its name with forward
// slashes and relative to a common root.
type File struct {
	Name string
	Data []byte
}

// Kustomization is a kustomization with all the files around it. Safe for
// concurrent use.
type Kustomization struct {
	file  string // of the kustomization itself
	files []File
}

// names are those that kustomize looks for in a folder.
var names = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// ErrNoFile says that a folder has no kustomization.
var ErrNoFile = errors.New("no kustomization.yaml, kustomization.yml or Kustomization there")

// New finds the kustomization in a folder and refuses what would reach outside,
// with a [*RemoteError].
func New(files []File, dir string) (*Kustomization, error) {
	k := &Kustomization{files: files}
	for _, f := range files {
		if !slices.Contains(names, path.Base(f.Name)) {
			continue
		}
		if path.Dir(f.Name) == path.Clean(dir) {
			if k.file != "" {
				return nil, fmt.Errorf("both %s and %s are there", k.file, f.Name)
			}
			k.file = f.Name
		}
	}
	if k.file == "" {
		return nil, ErrNoFile
	}
	for _, f := range files {
		if err := refuseRemote(f); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// File is the path of the kustomization's own file.
func (k *Kustomization) File() string { return k.file }

// rendered is the name of the file with what is to be changed.
const rendered = "fairlead-rendered.yaml"

// running serialises builds: kustomize keeps the OpenAPI schema that a build
// uses in a global variable.
var running sync.Mutex

// Build gives the resources as YAML documents. Input, if not nil, is a stream
// of YAML documents that come before the kustomization's own resources.
func (k *Kustomization) Build(input []byte) (docs [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("kustomize failed: %v", r)
		}
	}()
	disk := filesys.MakeFsInMemory()
	for _, f := range k.files {
		data := f.Data
		if f.Name == k.file && input != nil {
			if data, err = withResource(data); err != nil {
				return nil, err
			}
		}
		if err := disk.WriteFile("/"+f.Name, data); err != nil {
			return nil, err
		}
	}
	dir := "/" + path.Dir(k.file)
	if input != nil {
		if err := disk.WriteFile(path.Join(dir, rendered), input); err != nil {
			return nil, err
		}
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the file system is the bound
	options.PluginConfig = types.DisabledPluginConfig()
	running.Lock()
	defer running.Unlock()
	resources, err := krusty.MakeKustomizer(options).Run(disk, path.Clean(dir))
	if err != nil {
		return nil, err
	}
	for _, r := range resources.Resources() {
		doc, err := r.AsYAML()
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// withResource puts the rendered file in front of a kustomization's resources.
func withResource(text []byte) ([]byte, error) {
	var k map[string]any
	if err := yaml.Unmarshal(text, &k); err != nil {
		return nil, err
	}
	if k == nil {
		k = map[string]any{}
	}
	own, ok := k["resources"].([]any)
	if !ok && k["resources"] != nil {
		return nil, errors.New("resources must be a list")
	}
	k["resources"] = append([]any{rendered}, own...)
	return yaml.Marshal(k)
}
