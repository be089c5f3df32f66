package kustomize

import (
	"bytes"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/types"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// visitor goes through the fields of one kustomization. After the first error
// it does nothing.
type visitor struct {
	*walk
	at      place
	total   weight
	entries entries
	// replacements and variables are those of this kustomization and of the
	// components that change the same objects.
	replacements []replacement
	variables    []string
	targeted     []targeted
	err          error
}

func (v *visitor) kustomization(k *types.Kustomization) {
	for i := range k.Resources {
		v.resource(&k.Resources[i])
	}
	for i := range k.Components {
		v.folder(&k.Components[i])
	}
	for i := range k.Crds {
		v.definitions(&k.Crds[i])
	}
	for i := range k.Configurations {
		v.entries.fields += v.yaml(&k.Configurations[i])
	}
	if file, ok := k.OpenAPI["path"]; ok {
		v.yaml(&file)
		k.OpenAPI["path"] = file
	}
	beforePatches := v.total.items
	//lint:ignore SA1019 kustomize reads the old fields too
	for _, patches := range [][]types.Patch{k.Patches, k.PatchesJson6902} {
		for i := range patches {
			before := v.total
			text := []byte(patches[i].Patch)
			v.weigh(v.at.file, text)
			v.replacements = append(v.replacements, copies(text, patches[i].Target)...)
			if patches[i].Path != "" {
				text = v.patch(&patches[i].Path)
				v.replacements = append(v.replacements, copies(text, patches[i].Target)...)
			}
			v.values.anyKind = v.values.anyKind || bytes.Contains(text, []byte("/kind")) || patches[i].Options != nil && patches[i].Options.AllowKindChange
			if patches[i].Target != nil { // it may apply to every object
				v.targeted = append(v.targeted, targeted{kindOf(patches[i].Target), weight{
					nodes: v.total.nodes - before.nodes, items: v.total.items - before.items, bytes: v.total.bytes - before.bytes,
				}})
			}
		}
	}
	v.entries.items = plus(v.entries.items, v.total.items-beforePatches)
	for i := range k.Replacements {
		if k.Replacements[i].Path != "" {
			v.entries.visiting += v.replacementFile(&k.Replacements[i].Path)
		}
		v.replace([]types.Replacement{k.Replacements[i].Replacement})
	}
	for i := range k.ConfigMapGenerator {
		v.generator("ConfigMap", &k.ConfigMapGenerator[i].GeneratorArgs, k.GeneratorOptions)
	}
	for i := range k.SecretGenerator {
		v.generator("Secret", &k.SecretGenerator[i].GeneratorArgs, k.GeneratorOptions)
	}
	for _, entries := range [][]string{k.Generators, k.Transformers, k.Validators} {
		if v.err == nil {
			var below weight
			below, v.err = v.plugins(v.at, entries)
			v.add(below)
			v.replacements = append(v.replacements, v.transforming...)
			v.transforming = nil
			v.entries.visiting += below.nodes
			v.entries.items = plus(v.entries.items, below.nodes)
		}
	}
	v.entries = v.entries.plus(entriesOf(k))
	//lint:ignore SA1019 kustomize reads the old fields too
	v.variables = append(v.variables, variablesOf(k.Vars)...)
	v.patterns(k)
	v.add(v.values.patched(v.targeted, v.total))
	v.add(added(k).times(v.total.objects))
	v.add(v.entries.over(v.total))
	v.multiply()
	v.names(k)
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
		own, v.err = v.options.Limits.weigh(subject, text, v.values)
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
	below, own, err := v.visit(v.at, dir)
	v.err = err
	v.add(below)
	if own.component { // it changes what this kustomization has, too
		v.entries = v.entries.plus(own.entries)
		v.replacements = append(v.replacements, own.replacements...)
		v.variables = append(v.variables, own.variables...)
		v.targeted = append(v.targeted, own.targeted...)
	}
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

// yaml is a file of YAML or JSON. It returns the number of its nodes.
func (v *visitor) yaml(ref *string) int64 {
	name := *ref
	data := v.file(ref)
	if v.err != nil {
		return 0
	}
	if v.err = v.options.Limits.check(name, data); v.err != nil {
		return 0
	}
	var document yaml.Node
	if yaml.Unmarshal(data, &document) != nil {
		return 0 // kustomize says so
	}
	return yamlread.SizeOf(&document).Nodes
}

// definitions is a file of crds, each property of which may become a field of a
// configuration.
func (v *visitor) definitions(ref *string) {
	name := *ref
	v.yaml(ref)
	if v.err != nil {
		return
	}
	if data, ok := v.files[path.Join(v.at.dir, *ref)]; ok {
		n := definitions(data)
		v.entries.fields = plus(v.entries.fields, n)
		if v.add(weight{visits: times(n, stepsPerDefinition)}); v.err != nil {
			v.err = &LimitError{"Steps", v.options.Limits.Steps, name}
		}
	}
}

// stepsPerDefinition is what following a property of a definition takes.
const stepsPerDefinition = 100

// generator weighs an object that is made of settings, and compared with others by
// name and by hash.
func (v *visitor) generator(kind string, g *types.GeneratorArgs, options *types.GeneratorOptions) {
	v.sources(g.KvPairSources)
	made := weight{objects: generatedObjects, nodes: generatedNodes}
	keys := int64(len(g.LiteralSources) + len(g.FileSources))
	for _, literal := range g.LiteralSources {
		made.bytes += int64(len(literal))
	}
	for _, env := range g.EnvSources {
		keys += int64(bytes.Count(v.files[path.Join(v.at.dir, env)], []byte("\n"))) + 1
	}
	for _, o := range []*types.GeneratorOptions{options, g.Options} {
		if o != nil {
			keys += int64(len(o.Labels) + len(o.Annotations))
		}
	}
	made.nodes += 2 * keys
	made.squares = times(keys, keys)
	v.add(made)
	v.generated(kind, g)
}

// A generated object costs as much as so many others, and has so many nodes
// besides its data.
const generatedObjects, generatedNodes = 2, 16

// patch is a file of patches.
func (v *visitor) patch(ref *string) []byte {
	name := *ref
	data := v.file(ref)
	if v.err == nil {
		v.weigh(name, data)
	}
	return data
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
