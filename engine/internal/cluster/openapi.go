package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"
)

// openAPIRoot is where the API server lists its OpenAPI documents.
const openAPIRoot = "/openapi/v3"

const openAPIAccept = "application/json"

// hashes are those of the API server's OpenAPI documents, by their path below
// openAPIRoot, as its list of them has them.
type hashes struct {
	mu     sync.Mutex
	read   time.Time
	byPath map[string]string
}

// openAPI loads the API server's schema of a group version; nil if it has
// none.
//
// With a cache, the documents of the groups that are built in cost one request
// together: for the list, whose hashes say which of the kept ones hold. Those of other
// groups, which may change at any time, cost one each, as without a cache.
func (c *Cluster) openAPI(ctx context.Context, gv schema.GroupVersion) (io.ReadCloser, error) {
	path := "apis/" + gv.Group + "/" + gv.Version
	if gv.Group == "" {
		path = "api/" + gv.Version
	}
	if c.cache != nil && scheme.Scheme.IsVersionRegistered(gv) {
		if kept := c.cache.get(cacheKey(c.server, c.pathOf(path), openAPIAccept)); kept != nil {
			// The hash is that of the document, so that no other one has it.
			if hash := c.hashOf(ctx, path); hash != "" && hash == kept.Sum {
				return io.NopCloser(bytes.NewReader(kept.body)), nil
			}
		}
	}
	body, err := c.Typed.Discovery().RESTClient().Get().AbsPath(openAPIRoot, path).SetHeader("Accept", openAPIAccept).Stream(c.Quiet(ctx))
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return body, err
}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// definedSchema returns the OpenAPI schema of a kind by its CustomResourceDefinition;
// nil if it has none, or it may not be read.
func (c *Cluster) definedSchema(ctx context.Context, gvk schema.GroupVersionKind) (map[string]any, error) {
	m, err := c.Known(ctx, gvk)
	if err != nil || m == nil {
		return nil, nil // which is reported where the kind itself is looked up
	}
	crd, err := c.Dynamic.Resource(definitions).Get(ctx, m.Resource.GroupResource().String(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the definition of %s: %w", gvk.Kind, err)
	}
	versions, _, _ := unstructured.NestedFieldNoCopy(crd.Object, "spec", "versions")
	list, _ := versions.([]any)
	for _, v := range list {
		if v, ok := v.(map[string]any); ok && v["name"] == gvk.Version {
			openAPI, _, err := unstructured.NestedMap(v, "schema", "openAPIV3Schema")
			return openAPI, err
		}
	}
	return nil, nil
}

// pathOf returns the path of a request for a document.
func (c *Cluster) pathOf(document string) string {
	return c.Typed.Discovery().RESTClient().Get().AbsPath(openAPIRoot, document).URL().Path
}

// hashOf returns the hash of a document by the API server's list, which is read again
// when it is as old as discovery may be; "" if it is not known.
func (c *Cluster) hashOf(ctx context.Context, path string) string {
	c.hashes.mu.Lock()
	defer c.hashes.mu.Unlock()
	if c.hashes.byPath == nil || time.Since(c.hashes.read) > DiscoveryAge {
		began := time.Now()
		raw, err := c.Typed.Discovery().RESTClient().Get().AbsPath(openAPIRoot).SetHeader("Accept", openAPIAccept).DoRaw(c.Quiet(ctx))
		if err != nil {
			return "" // the request for the document itself reports it
		}
		if c.hashes.byPath = readHashes(raw); c.hashes.byPath == nil {
			return ""
		}
		c.hashes.read = began
	}
	return c.hashes.byPath[path]
}

// readHashes reads the list of documents; nil if it is not one.
func readHashes(raw []byte) map[string]string {
	var list struct {
		Paths map[string]struct {
			URL string `json:"serverRelativeURL"`
		} `json:"paths"`
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	out := make(map[string]string, len(list.Paths))
	for path, at := range list.Paths {
		if u, err := url.Parse(at.URL); err == nil {
			out[path] = strings.ToUpper(u.Query().Get("hash"))
		}
	}
	return out
}
