package kustomize

import (
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/provider"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/yaml"
)

const pluginHint = "use the fields of kustomization.yaml or kustomize's own generators and transformers (apiVersion: builtin), written out in one file"

// plugins looks at what generators, transformers or validators name: each is a
// configuration written in place, a file of them, or a folder that only lists
// such files. Folders that change their configurations are refused, because
// what they come to is only known when it is too late to look.
func (w *walk) plugins(at place, entries []string) (total weight, err error) {
	for i, entry := range entries {
		if err := w.options.Limits.check(at.file, []byte(entry)); err != nil {
			return total, err
		}
		// This is how kustomize distinguishes an inline configuration from a path.
		if inline, err := w.parse([]byte(entry)); err == nil {
			if err := w.checkPlugins(at, at.root != ".", inline); err != nil {
				return total, err
			}
			own, err := w.options.Limits.weigh(at.file, []byte(entry), w.values)
			if err == nil {
				total, err = w.options.Limits.add(total, own, at.file)
			}
			if err != nil {
				return total, err
			}
			continue
		}
		name, relative, err := w.local(at, entry)
		if err != nil {
			return total, err
		}
		inside, err := w.pluginFile(at, name)
		if err == nil {
			total, err = w.options.Limits.add(total, inside, name)
		}
		if err != nil {
			return total, err
		}
		entries[i] = relative
	}
	return total, nil
}

// pluginFile looks at a file or folder of configurations.
func (w *walk) pluginFile(at place, name string) (weight, error) {
	if w.dirs[name] {
		return w.pluginDir(at, name)
	}
	data := w.files[name]
	own, err := w.options.Limits.weigh(name, data, w.values)
	if err != nil {
		return own, err
	}
	resources, err := w.parse(data)
	if err != nil {
		return own, refusal(name, "correct the YAML, or take the file out of the kustomization", "cannot be read as a generator or transformer: %w", err)
	}
	foreign := at.root != "." || rootOf(name) != "."
	return own, w.checkPlugins(place{file: name, dir: at.dir, root: at.root}, foreign, resources)
}

func (w *walk) pluginDir(at place, dir string) (total weight, err error) {
	key := at.root + " " + dir
	if known, ok := w.plugged[key]; ok {
		return known, nil
	}
	leave, err := w.enter(at, dir)
	if err != nil {
		return total, err
	}
	defer leave()
	file, k, err := w.read(dir)
	if err != nil {
		return total, err
	}
	only := types.Kustomization{TypeMeta: k.TypeMeta, MetaData: k.MetaData, Resources: k.Resources}
	if !reflect.DeepEqual(only, *k) {
		return total, refusal(file, "name the files themselves under generators, transformers or validators", "a folder of generators or transformers may have nothing but resources")
	}
	inside := place{file: file, dir: dir, root: rootOf(dir)}
	for i, ref := range k.Resources {
		name, relative, err := w.local(inside, ref)
		if err != nil {
			return total, err
		}
		part, err := w.pluginFile(place{file: file, dir: dir, root: at.root}, name)
		if err == nil {
			total, err = w.options.Limits.add(total, part, name)
		}
		if err != nil {
			return total, err
		}
		k.Resources[i] = relative
	}
	w.plugged[key] = total
	return total, w.write(file, k)
}

// parse reads resources with kustomize's own reader.
func (w *walk) parse(text []byte) ([]*resource.Resource, error) {
	if err := running.Acquire(w.ctx, w.options.Tenant, 1); err != nil {
		return nil, err
	}
	defer running.Release(1)
	m, err := resmap.NewFactory(provider.NewDefaultDepProvider().GetResourceFactory()).NewResMapFromBytes(text)
	if err != nil {
		return nil, err
	}
	return m.Resources(), nil
}

// functions are the annotations by which a document asks for a container or a
// program to be run.
var functions = []string{"config.kubernetes.io/function", "config.k8s.io/function"}

func (w *walk) checkPlugins(at place, foreign bool, resources []*resource.Resource) error {
	limits := w.options.Limits
	for _, r := range resources {
		for key := range r.GetAnnotations() {
			if slices.Contains(functions, key) {
				return refusal(at.file, pluginHint, "%s asks to run a function, and none is run", r.OrgId())
			}
		}
		gvk := r.GetGvk()
		if gvk.Group != "" || gvk.Version != "builtin" || strings.HasPrefix(gvk.Kind, "HelmChart") {
			return refusal(at.file, pluginHint, "%s %s is a plugin, and none is run", gvk.ApiVersion(), gvk.Kind)
		}
		text, err := r.AsYAML()
		if err != nil {
			return refusal(at.file, "correct the YAML", "%w", err)
		}
		var config map[string]any
		if err := yaml.UnmarshalStrict(text, &config); err != nil {
			return refusal(at.file, "correct the YAML", "%w", err)
		}
		if err := scan(limits, at, foreign, config, false); err != nil {
			return err
		}
		if gvk.Kind == "ReplacementTransformer" {
			w.replacing(at, text)
		}
		w.copying(at, config)
		if size := patternsOf(config, false); size > maxPatterns {
			return &LimitError{"Steps", limits.Steps, at.file}
		}
	}
	return nil
}

// pathKeys are the fields of the configurations of kustomize's own generators
// and transformers that name files.
var pathKeys = []string{"path", "paths", "files", "env", "envs", "targetFilePath"}

// scan looks for references in the configuration of a generator or transformer.
func scan(limits Limits, at place, foreign bool, v any, names bool) error {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			// Kustomize does not mind the case either.
			isName := slices.ContainsFunc(pathKeys, func(k string) bool { return strings.EqualFold(k, key) })
			if err := scan(limits, at, foreign, item, names || isName); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := scan(limits, at, foreign, item, names); err != nil {
				return err
			}
		}
	case string:
		if !names {
			return limits.check(at.file, []byte(v))
		}
		// Generators may name a file as key=path.
		_, after, _ := strings.Cut(v, "=")
		for _, ref := range []string{v, after} {
			if isRemote(strings.TrimSpace(ref)) {
				return &RemoteError{File: at.file, Ref: withoutCredentials(ref)}
			}
			// A field of that name may also be a path inside of objects.
			if foreign && (path.IsAbs(ref) || slices.Contains(strings.Split(ref, "/"), "..")) {
				return refusal(at.file, pluginHint, "the reference %q leads out of what was loaded", v)
			}
		}
		return limits.check(at.file, []byte(v))
	}
	return nil
}

func rootOf(dir string) string {
	parts := strings.SplitN(dir, "/", 3)
	if len(parts) >= 2 && parts[0] == mounts {
		return path.Join(mounts, parts[1])
	}
	return "."
}

func mountName(n int) string { return fmt.Sprintf("%s/%d", mounts, n) }
