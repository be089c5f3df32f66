package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"

	"github.com/fairlead-dev/fairlead/engine/internal/cluster"
	"github.com/fairlead-dev/fairlead/engine/internal/observe"
)

// serverSideApply applies body under the engine's field manager.
func (e *Engine) serverSideApply(ctx context.Context, t target, body *unstructured.Unstructured, force, dryRun bool) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(body.Object)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	data = escapedForYAML(data)
	opts := metav1.PatchOptions{FieldManager: e.opts.FieldManager, Force: &force}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return e.patch(ctx, t, types.ApplyPatchType, data, opts)
}

// patch patches an object, and notes that for watches.
func (e *Engine) patch(ctx context.Context, t target, pt types.PatchType, data []byte, opts metav1.PatchOptions) (*unstructured.Unstructured, error) {
	if len(opts.DryRun) > 0 {
		return e.cluster.Patch(ctx, t.mapping, t.id.Namespace, t.id.Name, pt, data, opts)
	}
	o := observe.Object{Resource: t.mapping.Resource.GroupResource(), Name: t.id.Name}
	if cluster.Namespaced(t.mapping) {
		o.Namespace = t.id.Namespace
	}
	end := e.writes.Begin(o)
	u, err := e.cluster.Patch(ctx, t.mapping, t.id.Namespace, t.id.Name, pt, data, opts)
	if err != nil {
		end("")
		return nil, err
	}
	end(u.GetResourceVersion())
	return u, nil
}

// escapedForYAML is JSON without the characters that JSON has and YAML refuses
// or folds, such as a byte order mark: the API server reads the body of an apply
// as YAML.
func escapedForYAML(data []byte) []byte {
	if !bytes.ContainsFunc(data, isForeignToYAML) {
		return data
	}
	var out bytes.Buffer
	for _, r := range string(data) { // outside of strings there are none
		if isForeignToYAML(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func isForeignToYAML(r rune) bool {
	return r >= 0x7f && r < 0xa0 || r == 0xfeff || r == 0xfffe || r == 0xffff
}

// resizeClaim requests the size, of the very claim that was read.
func (e *Engine) resizeClaim(ctx context.Context, g claimGrowth, dryRun bool) (*corev1.PersistentVolumeClaim, error) {
	patch := fmt.Sprintf(`{"metadata":{"uid":%q},"spec":{"resources":{"requests":{"storage":%q}}}}`, g.claim.UID, g.size.String())
	opts := metav1.PatchOptions{FieldManager: e.opts.FieldManager}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	return e.cluster.Typed.CoreV1().PersistentVolumeClaims(g.claim.Namespace).Patch(ctx, g.claim.Name, types.MergePatchType, []byte(patch), opts)
}

// mergePatch is the JSON merge patch that changes one state of an object into
// another.
func mergePatch(from, to *unstructured.Unstructured) ([]byte, error) {
	a, err := json.Marshal(withoutServerFields(from))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	b, err := json.Marshal(withoutServerFields(to))
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(a, b, a)
	if err != nil {
		return nil, fmt.Errorf("compare with the live object: %w", err)
	}
	return patch, nil
}

// withResourceVersion is u, to be written only if that is the version that is
// live.
func withResourceVersion(u *unstructured.Unstructured, version string) *unstructured.Unstructured {
	return withMetadata(u, func(metadata map[string]any) { metadata["resourceVersion"] = version })
}

// withoutServerFields is u without what a client cannot change.
func withoutServerFields(u *unstructured.Unstructured) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: maps.Clone(u.Object)}
	delete(out.Object, "status")
	if meta, ok := u.Object["metadata"].(map[string]any); ok {
		meta = maps.Clone(meta)
		delete(meta, "managedFields")
		delete(meta, "resourceVersion")
		delete(meta, "generation")
		out.Object["metadata"] = meta
	}
	return out
}
