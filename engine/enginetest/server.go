package enginetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
)

// call is one request about objects.
type call struct {
	kind
	verb            string
	namespace, name string
	sub             string // subresource
	body            []byte
	req             *http.Request
	partial         bool // metadata only
	dry             bool
}

// ServeHTTP is the API of the cluster, for Config.
func (c *Cluster) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err == nil {
		body, err = asJSON(body)
	}
	if err != nil {
		respond(w, statusOf(apierrors.NewBadRequest(err.Error())))
		return
	}
	if found := c.discovery(strings.TrimSuffix(req.URL.Path, "/")); found != nil {
		respond(w, found)
		return
	}
	if strings.HasPrefix(req.URL.Path, "/apis/authorization.k8s.io/") {
		respond(w, allowed(body))
		return
	}
	call, err := c.route(req, body)
	if err != nil {
		respond(w, statusOf(err))
		return
	}
	if call.verb == "watch" {
		c.watch(w, call)
		return
	}
	out, err := c.serve(call)
	if err != nil {
		respond(w, statusOf(err))
		return
	}
	respond(w, out)
}

// asJSON returns a body that may be in Kubernetes' protobuf, which typed clients send, as
// JSON.
func asJSON(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte("k8s\x00")) {
		return body, nil
	}
	o, gvk, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	if err != nil {
		return nil, err
	}
	o.GetObjectKind().SetGroupVersionKind(*gvk)
	return json.Marshal(o)
}

func respond(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if s, ok := value.(*metav1.Status); ok && s.Code != 0 {
		w.WriteHeader(int(s.Code))
	}
	_ = json.NewEncoder(w).Encode(value) // what cannot be sent, the client finds
}

// allowed is the response to a question about permissions: everything is.
func allowed(body []byte) any {
	var review map[string]any
	if err := json.Unmarshal(body, &review); err != nil {
		return statusOf(apierrors.NewBadRequest(err.Error()))
	}
	all := []any{"*"}
	review["status"] = map[string]any{
		"allowed": true, "incomplete": false, "nonResourceRules": []any{},
		"resourceRules": []any{map[string]any{"verbs": all, "apiGroups": all, "resources": all}},
	}
	return review
}

// route finds what a request is about.
func (c *Cluster) route(req *http.Request, body []byte) (call, error) {
	unknown := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: "the server could not find the requested resource"}}
	parts := strings.Split(strings.Trim(req.URL.Path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case parts[0] == "api" && len(parts) > 2:
		gv, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case parts[0] == "apis" && len(parts) > 3:
		gv, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return call{}, unknown
	}
	out := call{body: body, req: req, partial: strings.Contains(req.Header.Get("Accept"), "as=PartialObjectMetadata")}
	if parts[0] == "namespaces" && len(parts) > 2 {
		out.namespace, parts = parts[1], parts[2:]
	}
	c.mu.Lock()
	kinds := c.kinds()
	c.mu.Unlock()
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.gvr() == gv.WithResource(parts[0]) })
	if i < 0 || len(parts) > 3 {
		return call{}, unknown
	}
	out.kind = kinds[i]
	if len(parts) > 1 {
		out.name = parts[1]
	}
	if len(parts) > 2 {
		out.sub = parts[2]
	}
	query := req.URL.Query()
	out.dry = len(query["dryRun"]) > 0
	out.verb = map[string]string{http.MethodGet: "get", http.MethodPost: "create", http.MethodPut: "update", http.MethodPatch: "patch", http.MethodDelete: "delete"}[req.Method]
	switch {
	case out.verb == "get" && query.Get("watch") != "" && query.Get("watch") != "false":
		out.verb = "watch"
	case out.verb == "get" && out.name == "":
		out.verb = "list"
	case out.verb == "delete" && out.name == "":
		out.verb = "deletecollection"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return out, c.failure(out.verb, out.object(), out.dry)
}

func (r call) object() diff.Object {
	name := r.name
	if r.verb == "create" {
		var o metav1.PartialObjectMetadata
		if json.Unmarshal(r.body, &o) == nil {
			name = o.Name
		}
	}
	return diff.Object{Group: r.Group, Version: r.Version, Kind: r.Kind, Namespace: r.namespace, Name: name}
}

// selected returns a filter by the selectors of a request.
func (r call) selected() (func(*unstructured.Unstructured) bool, error) {
	query := r.req.URL.Query()
	byLabel, err := labels.Parse(query.Get("labelSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	byField, err := fields.ParseSelector(query.Get("fieldSelector"))
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	return func(u *unstructured.Unstructured) bool {
		set := fields.Set{}
		for _, want := range byField.Requirements() {
			set[want.Field], _, _ = unstructured.NestedString(u.Object, strings.Split(want.Field, ".")...)
		}
		return u.GroupVersionKind().GroupKind() == r.GroupKind() && (r.namespace == "" || u.GetNamespace() == r.namespace) && byLabel.Matches(labels.Set(u.GetLabels())) && byField.Matches(set)
	}, nil
}

// shown is an object as a request wants it: in its version, or its metadata.
func (r call) shown(u *unstructured.Unstructured) map[string]any {
	if r.partial {
		return metadataOnly(u)
	}
	out := u.DeepCopy()
	out.SetGroupVersionKind(r.GroupVersionKind)
	return out.Object
}

func (c *Cluster) serve(r call) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.sub != "" && (r.sub != "status" || r.verb == "get") {
		return nil, apierrors.NewNotFound(r.gvr().GroupResource(), r.name+"/"+r.sub)
	}
	if r.verb == "list" {
		return c.list(r)
	}
	if r.verb == "create" {
		u, err := r.decode(r.body)
		if err != nil {
			return nil, err
		}
		u, err = c.create(u, r.manager(), r.dry)
		if err != nil {
			return nil, err
		}
		return r.shown(u), nil
	}
	if r.verb == "deletecollection" {
		matches, err := r.selected()
		if err != nil {
			return nil, err
		}
		for _, u := range c.objects[r.GroupKind()] {
			if matches(u) && !r.dry {
				c.remove(u)
			}
		}
		return &metav1.Status{Status: metav1.StatusSuccess}, nil
	}
	live := c.get(r.GroupKind(), types.NamespacedName{Namespace: r.namespace, Name: r.name})
	apply := r.verb == "patch" && r.req.Header.Get("Content-Type") == string(types.ApplyPatchType)
	if live == nil && !apply {
		return nil, apierrors.NewNotFound(r.gvr().GroupResource(), r.name)
	}
	switch r.verb {
	case "get":
		return r.shown(live), nil
	case "delete":
		return c.delete(r, live)
	}
	next, err := c.update(r, live, apply)
	if err != nil {
		return nil, err
	}
	return r.shown(next), nil
}

func (c *Cluster) list(r call) (any, error) {
	matches, err := r.selected()
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, u := range c.objects[r.GroupKind()] {
		if matches(u) {
			items = append(items, r.shown(u))
		}
	}
	slices.SortFunc(items, func(a, b any) int {
		return strings.Compare(nameOf(a), nameOf(b))
	})
	out := map[string]any{"apiVersion": r.GroupVersion().String(), "kind": r.Kind + "List", "metadata": map[string]any{"resourceVersion": strconv.FormatUint(c.version, 10)}, "items": items}
	if r.partial {
		out["apiVersion"], out["kind"] = "meta.k8s.io/v1", "PartialObjectMetadataList"
	}
	return out, nil
}

func nameOf(item any) string {
	u := unstructured.Unstructured{Object: item.(map[string]any)}
	return u.GetNamespace() + "/" + u.GetName()
}

func (c *Cluster) delete(r call, live *unstructured.Unstructured) (any, error) {
	var opts metav1.DeleteOptions
	if len(r.body) > 0 {
		if err := json.Unmarshal(r.body, &opts); err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	conflict := func(what string) error {
		return apierrors.NewConflict(r.gvr().GroupResource(), r.name, errors.New("the "+what+" in the precondition is another one"))
	}
	if p := opts.Preconditions; p != nil {
		if p.UID != nil && *p.UID != live.GetUID() {
			return nil, conflict("UID")
		}
		if p.ResourceVersion != nil && *p.ResourceVersion != live.GetResourceVersion() {
			return nil, conflict("resourceVersion")
		}
	}
	if !r.dry && len(opts.DryRun) == 0 {
		if p := opts.PropagationPolicy; p != nil && *p == metav1.DeletePropagationOrphan {
			c.orphan(live.GetUID())
		}
		c.remove(live)
	}
	return &metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusSuccess}, nil
}

// orphan removes an owner from what it owns.
func (c *Cluster) orphan(uid types.UID) {
	for _, all := range c.objects {
		for _, u := range all {
			left := slices.DeleteFunc(u.GetOwnerReferences(), func(o metav1.OwnerReference) bool { return o.UID == uid })
			if len(left) != len(u.GetOwnerReferences()) {
				next := u.DeepCopy()
				next.SetOwnerReferences(left)
				c.store(next, u)
			}
		}
	}
}

// update carries out an update or a patch.
func (c *Cluster) update(r call, live *unstructured.Unstructured, apply bool) (*unstructured.Unstructured, error) {
	if apply {
		return c.apply(r, live)
	}
	next, err := r.next(live)
	if err != nil {
		return nil, err
	}
	if v := next.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.gvr().GroupResource(), r.name, errors.New("the object has been modified; please apply your changes to the latest version and try again"))
	}
	next.SetUID(live.GetUID())
	next.SetCreationTimestamp(live.GetCreationTimestamp())
	next.SetGeneration(live.GetGeneration())
	next.SetResourceVersion(live.GetResourceVersion())
	normalize(next)
	if next, err = c.owned(live, next, r.manager()); err != nil {
		return nil, err
	}
	return c.keep(r, live, next), nil
}

// next is the object that an update or a patch asks for.
func (r call) next(live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	if r.verb == "update" {
		return r.decode(r.body)
	}
	if kind := r.req.Header.Get("Content-Type"); kind != string(types.MergePatchType) {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType, Message: "enginetest knows no patches of type " + kind}}
	}
	var patch map[string]any
	if err := yaml.Unmarshal(r.body, &patch); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	text, err := json.Marshal(mergePatch(live.DeepCopy().Object, patch))
	if err != nil {
		return nil, err
	}
	return r.decode(text)
}

// mergePatch is that of RFC 7386.
func mergePatch(target map[string]any, patch map[string]any) map[string]any {
	for key, value := range patch {
		inner, isMap := value.(map[string]any)
		switch {
		case value == nil:
			delete(target, key)
		case isMap:
			before, _ := target[key].(map[string]any)
			if before == nil {
				before = map[string]any{}
			}
			target[key] = mergePatch(before, inner)
		default:
			target[key] = value
		}
	}
	return target
}

// apply is server-side apply.
func (c *Cluster) apply(r call, live *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	text, err := yaml.YAMLToJSON(r.body)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	applied, err := r.decode(text)
	if err != nil {
		return nil, err
	}
	from := live
	if live == nil {
		if err := c.admitted(r.namespace); err != nil {
			return nil, err
		}
		from = &unstructured.Unstructured{}
		from.SetGroupVersionKind(r.GroupVersionKind)
	} else if v := applied.GetResourceVersion(); v != "" && v != live.GetResourceVersion() {
		return nil, apierrors.NewConflict(r.gvr().GroupResource(), r.name, errors.New("the resourceVersion is another one"))
	}
	m, err := fieldManager(r.GroupVersionKind)
	if err != nil {
		return nil, err
	}
	force, _ := strconv.ParseBool(r.req.URL.Query().Get("force"))
	var out runtime.Object
	if out, err = m.Apply(from, applied, r.req.URL.Query().Get("fieldManager"), force); err != nil {
		return nil, err
	}
	next := out.(*unstructured.Unstructured)
	normalize(next)
	return c.keep(r, live, next), nil
}

// keep stores what a request has changed, unless it is a dry-run or nothing has.
func (c *Cluster) keep(r call, live, next *unstructured.Unstructured) *unstructured.Unstructured {
	switch {
	case live != nil && equal(live.Object, next.Object):
		return live
	case r.dry:
		return next
	}
	c.store(next, live)
	if next.GetDeletionTimestamp() != nil && len(next.GetFinalizers()) == 0 {
		c.remove(next)
	}
	return next
}

// decode reads an object that a client has sent.
func (r call) decode(data []byte) (*unstructured.Unstructured, error) {
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(data); err != nil {
		// Typed clients leave out what the path says already.
		var o map[string]any
		if yaml.Unmarshal(data, &o) != nil || o == nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		o["apiVersion"], o["kind"] = r.GroupVersion().String(), r.Kind
		text, err := json.Marshal(o)
		if err == nil {
			err = u.UnmarshalJSON(text)
		}
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
	}
	if r.namespaced {
		u.SetNamespace(r.namespace)
	}
	return u, nil
}

// manager is the field manager of a request.
func (r call) manager() string {
	if m := r.req.URL.Query().Get("fieldManager"); m != "" {
		return m
	}
	name, _, _ := strings.Cut(r.req.UserAgent(), "/")
	return name
}

// watch streams what happens from a version on.
func (c *Cluster) watch(w http.ResponseWriter, r call) {
	query := r.req.URL.Query()
	matches, err := r.selected()
	if err == nil && query.Get("sendInitialEvents") == "true" {
		err = apierrors.NewInvalid(schema.GroupKind{}, "", nil) // clients list instead
	}
	if err != nil {
		respond(w, statusOf(err))
		return
	}
	if r.name != "" {
		byName := matches
		matches = func(u *unstructured.Unstructured) bool { return u.GetName() == r.name && byName(u) }
	}
	seen, _ := strconv.ParseUint(query.Get("resourceVersion"), 10, 64)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	for {
		c.mu.Lock()
		from, _ := slices.BinarySearchFunc(c.log, seen+1, func(e event, v uint64) int { return int(e.version) - int(v) })
		events, changed := slices.Clone(c.log[from:]), c.changed
		c.mu.Unlock()
		for _, e := range events {
			seen = e.version
			if !matches(e.object) {
				continue
			}
			if json.NewEncoder(w).Encode(map[string]any{"type": e.kind, "object": r.shown(e.object)}) != nil {
				return
			}
		}
		select {
		case <-changed:
		case <-r.req.Context().Done():
			return
		}
	}
}
