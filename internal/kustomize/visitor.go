package kustomize

import (
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// visitor goes through the fields of one kustomization. After the first error
// it does nothing.
type visitor struct {
	*walk
	at    place
	total weight
	err   error
}

func (v *visitor) kustomization(k *types.Kustomization) {
	for i := range k.Resources {
		v.resource(&k.Resources[i])
	}
	for i := range k.Components {
		v.folder(&k.Components[i])
	}
	for _, files := range [][]string{k.Crds, k.Configurations} {
		for i := range files {
			v.yaml(&files[i])
		}
	}
	if file, ok := k.OpenAPI["path"]; ok {
		v.yaml(&file)
		k.OpenAPI["path"] = file
	}
	//lint:ignore SA1019 kustomize reads the old fields too
	for _, patches := range [][]types.Patch{k.Patches, k.PatchesJson6902} {
		for i := range patches {
			v.weigh(v.at.file, []byte(patches[i].Patch))
			if patches[i].Path != "" {
				v.patch(&patches[i].Path)
			}
		}
	}
	for i := range k.Replacements {
		if k.Replacements[i].Path != "" {
			v.yaml(&k.Replacements[i].Path)
		}
	}
	for i := range k.ConfigMapGenerator {
		v.sources(k.ConfigMapGenerator[i].KvPairSources)
	}
	for i := range k.SecretGenerator {
		v.sources(k.SecretGenerator[i].KvPairSources)
	}
	for _, entries := range [][]string{k.Generators, k.Transformers, k.Validators} {
		if v.err == nil {
			var below weight
			below, v.err = v.plugins(v.at, entries)
			v.add(below)
		}
	}
}

func (v *visitor) add(below weight) {
	if v.err == nil {
		v.total, v.err = v.options.Limits.add(v.total, below, v.at.file)
	}
}

// weigh adds objects or patches. A patch is compared with others as an object.
func (v *visitor) weigh(subject string, text []byte) {
	if v.err == nil {
		var own weight
		own, v.err = weigh(subject, text)
		v.add(own)
	}
}

// resource is a file of objects, or a folder with a kustomization.
func (v *visitor) resource(ref *string) {
	if v.err != nil {
		return
	}
	name, relative, err := v.local(v.at, *ref)
	if err != nil {
		v.err = err
		return
	}
	if v.dirs[name] {
		v.descend(name)
	} else {
		v.weigh(name, v.files[name])
	}
	*ref = relative
}

func (v *visitor) folder(ref *string) {
	if v.err != nil {
		return
	}
	name, relative, err := v.local(v.at, *ref)
	switch {
	case err != nil:
		v.err = err
	case !v.dirs[name]:
		v.err = refusal(v.at.file, "name a folder", "%q is no folder", *ref)
	default:
		v.descend(name)
		*ref = relative
	}
}

func (v *visitor) descend(dir string) {
	below, err := v.visit(v.at, dir)
	v.err = err
	v.add(below)
}

// file is one that kustomize reads.
func (v *visitor) file(ref *string) (data []byte) {
	if v.err != nil {
		return nil
	}
	name, relative, err := v.local(v.at, *ref)
	switch {
	case err != nil:
		v.err = err
	case v.dirs[name]:
		v.err = refusal(v.at.file, "name a file", "%q is a folder", *ref)
	default:
		*ref = relative
		data = v.files[name]
		v.add(weight{files: 1, bytes: int64(len(data))})
	}
	return data
}

// yaml is a file of YAML or JSON.
func (v *visitor) yaml(ref *string) {
	name := *ref
	if data := v.file(ref); v.err == nil {
		v.err = checkAliases(name, data)
	}
}

// patch is a file of patches.
func (v *visitor) patch(ref *string) {
	name := *ref
	if data := v.file(ref); v.err == nil {
		v.weigh(name, data)
	}
}

// sources are files of settings, [key=]path. References to the web may have
// an = of their own.
func (v *visitor) sources(s types.KvPairSources) {
	for i, source := range s.FileSources {
		key, ref, named := strings.Cut(source, "=")
		if !named || isRemote(source) {
			v.file(&s.FileSources[i])
			continue
		}
		v.file(&ref)
		s.FileSources[i] = key + "=" + ref
	}
	for i := range s.EnvSources {
		v.file(&s.EnvSources[i])
	}
}
