package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// objectCache provides the objects of a workload for peers that do not render,
// decoded in advance.
type objectCache struct {
	mu    sync.Mutex
	known map[string][]*unstructured.Unstructured
}

// of returns the objects of a task, with its value of Change.
func (c *objectCache) of(t task) ([]*unstructured.Unstructured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := t.Folder + "\x00" + t.Namespace
	objects := c.known[key]
	if objects == nil {
		data, err := os.ReadFile(filepath.Join(t.Folder, objectsFile))
		if err != nil {
			return nil, err
		}
		data = bytes.ReplaceAll(data, []byte(anyNamespace), []byte(t.Namespace))
		if err := json.Unmarshal(data, &objects); err != nil {
			return nil, err
		}
		if c.known == nil {
			c.known = map[string][]*unstructured.Unstructured{}
		}
		c.known[key] = objects
	}
	for _, o := range objects {
		if o.GetAnnotations()[changeMark] != "" {
			if err := unstructured.SetNestedField(o.Object, t.Change, "data", "change"); err != nil {
				return nil, err
			}
		}
	}
	return objects, nil
}
