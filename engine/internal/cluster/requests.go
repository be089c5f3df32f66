package cluster

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/internal/jsonstream"
)

// ListPage is the number of objects in one page of [Cluster.List]: a page is
// in memory as a whole, and costs a round trip. It is somewhat above a round
// number, because a namespace has some objects of its own beside those of a
// release.
const ListPage = 512

// Resource returns the client for one mapped kind; namespace is ignored for
// cluster-scoped kinds.
func (c *Cluster) Resource(m *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	r := c.Dynamic.Resource(m.Resource)
	if Namespaced(m) {
		return r.Namespace(namespace)
	}
	return r
}

// on addresses a request to a mapped kind's objects; namespace is ignored for
// cluster-scoped kinds.
func on(r *rest.Request, m *meta.RESTMapping, namespace string) *rest.Request {
	gv := m.Resource.GroupVersion()
	path := []string{"apis", gv.Group, gv.Version}
	if gv.Group == "" {
		path = []string{"api", gv.Version}
	}
	return r.AbsPath(path...).NamespaceIfScoped(namespace, Namespaced(m)).Resource(m.Resource.Resource).
		SetHeader("Accept", runtime.ContentTypeJSON)
}

// Patch is Patch of the dynamic client, which decodes a response four times
// over where once does.
func (c *Cluster) Patch(ctx context.Context, m *meta.RESTMapping, namespace, name string, pt types.PatchType, body []byte, opts metav1.PatchOptions) (*unstructured.Unstructured, error) {
	r := on(c.Typed.Discovery().RESTClient().Patch(pt), m, namespace).Name(name).Param("fieldManager", opts.FieldManager).Body(body)
	if opts.Force != nil {
		r.Param("force", strconv.FormatBool(*opts.Force))
	}
	for _, d := range opts.DryRun {
		r.Param("dryRun", d)
	}
	u := &unstructured.Unstructured{}
	if err := decode(r.Do(c.Quiet(ctx)), &u.Object); err != nil {
		return nil, err
	}
	return u, nil
}

// decode reads the JSON of a response.
func decode(res rest.Result, into any) error {
	if err := res.Error(); err != nil {
		return err
	}
	body, err := res.Raw()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("decode the response: %w", err)
	}
	return nil
}

// List reads one page of the objects of one kind in one namespace, and passes
// the JSON of each to each, which must not keep it. from is empty for the
// first page, and then what List returned as next; next is empty after the
// last page. The error of each ends the list.
func (c *Cluster) List(ctx context.Context, m *meta.RESTMapping, namespace, from string, each func([]byte) error) (next string, err error) {
	page, err := c.ListLabelled(ctx, m, namespace, "", from, each)
	return page.Continue, err
}

// ListLabelled is List of the objects that a label selector matches; an empty
// namespace stands for all of them. It returns the metadata of the page.
func (c *Cluster) ListLabelled(ctx context.Context, m *meta.RESTMapping, namespace, selector, from string, each func([]byte) error) (metav1.ListMeta, error) {
	r := on(c.Typed.Discovery().RESTClient().Get(), m, namespace).Param("limit", strconv.Itoa(ListPage))
	if selector != "" {
		r.Param("labelSelector", selector)
	}
	if from != "" {
		r.Param("continue", from)
	}
	var list metav1.ListMeta
	body, err := r.Stream(c.Quiet(ctx))
	if err != nil {
		return list, err
	}
	defer body.Close()
	d := jsonstream.NewReader(body)
	var text []byte
	err = d.Object(func(member string) error {
		switch member {
		case "metadata":
			return d.Decode(&list)
		case "items":
			return d.Array(func() (err error) {
				if text, err = d.Raw(text[:0]); err != nil {
					return err
				}
				return each(text)
			})
		}
		return d.Skip()
	})
	if err != nil {
		return metav1.ListMeta{}, fmt.Errorf("decode the response: %w", err)
	}
	return list, nil
}
