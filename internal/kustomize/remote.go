package kustomize

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// RemoteError says that a kustomization refers to what is not in its file
// system.
type RemoteError struct {
	File string // that refers to it
	Ref  string // what it refers to
}

func (e *RemoteError) Error() string {
	return fmt.Sprintf("%s refers to %s, which is not in the file system given", e.File, e.Ref)
}

// remote is what kustomize takes for a repository or a URL: a scheme, a user in
// front of a host, or GitHub.
var remote = regexp.MustCompile(`(?i)^(git::)?([a-z][a-z0-9+.-]*://|[a-z][a-z0-9-]*@|(www\.)?github\.com[/:])`)

// pathKeys are the fields of kustomizations, and of the configurations of
// kustomize's generators and transformers, that name files or folders.
var pathKeys = []string{
	"resources", "bases", "components", "crds", "configurations", "generators", "transformers", "validators",
	"patches", "patchesStrategicMerge", "path", "paths", "files", "env", "envs",
	"targetFilePath", "argsFromFile", "valuesFile", "additionalValuesFiles", "valuesFiles", "chartHome",
}

// isPathKey knows the fields as kustomize does, which does not mind their case.
func isPathKey(key string) bool {
	return slices.ContainsFunc(pathKeys, func(k string) bool { return strings.EqualFold(k, key) })
}

// refuseRemote looks for references out of the file system in a kustomization
// and in the configuration of kustomize's own generators and transformers.
func refuseRemote(f File) error {
	kustomization := slices.Contains(names, path.Base(f.Name))
	if ext := path.Ext(f.Name); !kustomization && ext != ".yaml" && ext != ".yml" && ext != ".json" {
		return nil
	}
	return scanDocuments(f.Name, string(f.Data), kustomization)
}

var documentEnd = regexp.MustCompile(`(?m)^---(\s|$)`)

func scanDocuments(file, text string, all bool) error {
	for _, doc := range documentEnd.Split(text, -1) {
		var v map[string]any
		// What is no mapping is no configuration; kustomize says what is wrong.
		if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
			continue
		}
		for _, part := range configurations(v, all) {
			if err := scan(file, part, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// configurations are what kustomize reads as its own: a whole kustomization, or
// the configurations in a file, which may be in a List.
func configurations(v map[string]any, all bool) []map[string]any {
	if all || v["apiVersion"] == "builtin" {
		return []map[string]any{v}
	}
	var out []map[string]any
	items, _ := v["items"].([]any)
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			out = append(out, configurations(m, false)...)
		}
	}
	return out
}

func scan(file string, v any, names bool) error {
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			if err := scan(file, item, names || isPathKey(key)); err != nil {
				return err
			}
		}
	case []any:
		for _, item := range v {
			if err := scan(file, item, names); err != nil {
				return err
			}
		}
	case string:
		if !names {
			return nil
		}
		if strings.Contains(v, "\n") {
			return scanDocuments(file, v, true)
		}
		// Generators may name a file as key=path.
		_, after, _ := strings.Cut(v, "=")
		for _, ref := range []string{v, after} {
			if remote.MatchString(strings.TrimSpace(ref)) {
				return &RemoteError{File: file, Ref: ref}
			}
		}
	}
	return nil
}
