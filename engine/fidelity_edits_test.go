package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
	"github.com/fairlead-dev/fairlead/internal/testcluster/shape"
)

// meddle edits one object as another manager.
func (h *faithful) meddle() {
	h.Helper()
	s := h.shapes[h.g.IntN(len(h.shapes))]
	u := fromYAML(h, faithfulWords.Replace(shape.Draw(h.g, s.text)))
	u.SetNamespace(h.namespace)
	objects := h.dyn.Resource(s.resource).Namespace(h.namespace)
	live, err := objects.Get(h.ctx, u.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return
	} else if err != nil {
		h.Fatal(err)
	}
	patch := func(kind types.PatchType, body any, manager string, sub ...string) error {
		data, err := json.Marshal(body)
		if err != nil {
			h.Fatal(err)
		}
		_, err = objects.Patch(h.ctx, u.GetName(), kind, data, metav1.PatchOptions{FieldManager: manager}, sub...)
		return err
	}
	what := []string{"edit", "patch", "unset", "apply", "client-side apply", "scale", "delete", "forget", "reverse", "renumber",
		"duplicate", "rename", "empty", "apply scale", "status"}[h.g.IntN(15)]
	switch what {
	case "edit":
		for k, v := range u.Object {
			m, ok := v.(map[string]any)
			if !ok || k == "metadata" {
				continue
			}
			if have, ok := live.Object[k].(map[string]any); ok {
				for k, v := range m {
					have[k] = v
				}
				continue
			}
			live.Object[k] = v
		}
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "patch":
		body := map[string]any{"metadata": map[string]any{"annotations": map[string]any{
			"example.com/a": fmt.Sprint(h.step), "example.com/foreign": "x",
		}}}
		if data, ok := u.Object["data"]; ok {
			body["data"] = data
		}
		if spec, ok := u.Object["spec"].(map[string]any); ok {
			for _, k := range []string{"minReadySeconds", "size", "parts", "tags", "sessionAffinity", "maxReplicas", "revisionHistoryLimit"} {
				if v, ok := spec[k]; ok {
					body["spec"] = map[string]any{k: v}
				}
			}
		}
		err = patch(types.MergePatchType, body, "kubectl-patch")
	case "unset":
		body := map[string]any{"metadata": map[string]any{"labels": map[string]any{"tier": nil}, "annotations": map[string]any{"example.com/b": nil}}}
		switch u.GetKind() {
		case "ConfigMap", "Secret":
			body["data"] = map[string]any{"a": nil, "c": nil}
		default:
			body["spec"] = map[string]any{"minReadySeconds": nil, "size": nil, "tags": nil, "sessionAffinity": nil, "metrics": nil, "strategy": nil}
		}
		err = patch(types.MergePatchType, body, "kubectl-patch")
	case "apply":
		if u.GetKind() == "Deployment" && h.g.IntN(2) == 0 { // one container of it
			spec := u.Object["spec"].(map[string]any)["template"].(map[string]any)["spec"].(map[string]any)
			spec["containers"] = spec["containers"].([]any)[:1]
			delete(spec, "volumes")
			delete(spec["containers"].([]any)[0].(map[string]any), "volumeMounts")
		}
		force := true
		data, _ := json.Marshal(u)
		_, err = objects.Patch(h.ctx, u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "kubectl", Force: &force})
	case "client-side apply":
		last, _ := json.Marshal(u)
		body := u.DeepCopy()
		body.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": string(last)})
		err = patch(types.MergePatchType, body, "kubectl-client-side-apply")
	case "scale":
		if u.GetKind() != "Deployment" && u.GetKind() != "StatefulSet" {
			return
		}
		err = patch(types.MergePatchType, map[string]any{"spec": map[string]any{"replicas": 1 + h.g.IntN(4)}}, "kubectl", "scale")
	case "delete":
		err = objects.Delete(h.ctx, u.GetName(), metav1.DeleteOptions{})
		testcluster.Eventually(h, time.Minute, func(ctx context.Context) error {
			_, err := objects.Get(ctx, u.GetName(), metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("%s is still there: %w", u.GetName(), err)
		})
	case "reverse": // the items of every list
		reverseLists(live.Object["spec"])
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "renumber": // what is a key of an item, or swap a member of a union
		renumber(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "duplicate": // items of lists, with another value
		duplicate(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "rename": // items of lists
		rename(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "empty": // mappings and lists, or null
		empty(live.Object["spec"], h.g)
		_, err = objects.Update(h.ctx, live, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	case "apply scale":
		if u.GetKind() != "Deployment" && u.GetKind() != "StatefulSet" {
			return
		}
		force := true
		scale := map[string]any{"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": map[string]any{"name": u.GetName(), "namespace": h.namespace}, "spec": map[string]any{"replicas": h.g.IntN(4)}}
		data, _ := json.Marshal(scale)
		_, err = objects.Patch(h.ctx, u.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{FieldManager: "kubectl-scale", Force: &force}, "scale")
	case "status":
		if u.GetKind() != "Deployment" && u.GetKind() != "Widget" {
			return
		}
		err = patch(types.MergePatchType, map[string]any{"status": map[string]any{"collisionCount": h.step}}, "controller", "status")
	case "forget":
		err = patch(types.JSONPatchType, []any{map[string]any{"op": "replace", "path": "/metadata/managedFields", "value": []any{map[string]any{}}}}, "kubectl")
	}
	outcome := "done"
	if err != nil {
		outcome = fmt.Sprint(apierrors.ReasonForError(err))
		if !slices.Contains([]metav1.StatusReason{metav1.StatusReasonInvalid, metav1.StatusReasonConflict}, apierrors.ReasonForError(err)) {
			h.fail("%s %s: %v", what, u.GetKind(), err)
		}
	}
	h.seen["edits"]++
	h.log = append(h.log, fmt.Sprintf("%s %s %s: %s", what, u.GetKind(), u.GetName(), outcome))
}

func reverseLists(v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, below := range v {
			reverseLists(below)
		}
	case []any:
		slices.Reverse(v)
		for _, below := range v {
			reverseLists(below)
		}
	}
}

func renumber(v any, g *rand.Rand) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			n, isNumber := v[key].(int64)
			switch {
			case isNumber && (key == "port" || key == "containerPort") && g.IntN(2) == 0:
				v[key] = n + 1000
			case key == "value" && v["name"] != nil && g.IntN(2) == 0:
				delete(v, "value")
				v["valueFrom"] = map[string]any{"fieldRef": map[string]any{"fieldPath": "metadata.name"}}
			default:
				renumber(v[key], g)
			}
		}
	case []any:
		for _, below := range v {
			renumber(below, g)
		}
	}
}

// faithfulLists are lists whose items others duplicate and rename, with the field
// that names an item.
var faithfulLists = map[string]string{"env": "name", "ports": "name", "paths": "path", "rules": "host", "routes": "path", "backends": "name", "secrets": "name", "imagePullSecrets": "name", "volumes": "name", "numbers": "", "hostAliases": "ip", "parts": "id", "tags": "", "whole": "", "tolerations": "key"}

func duplicate(v any, g *rand.Rand) {
	eachList(v, func(key string, list []any) []any {
		if len(list) == 0 || g.IntN(2) == 0 {
			return list
		}
		again := runtime.DeepCopyJSONValue(list[g.IntN(len(list))])
		if item, ok := again.(map[string]any); ok {
			if delete(item, "nodePort"); item["value"] != nil && g.IntN(2) == 0 {
				item["value"] = "duplicate"
			}
		}
		return append(list, again)
	})
}

func rename(v any, g *rand.Rand) {
	eachList(v, func(key string, list []any) []any {
		for _, item := range list {
			if item, ok := item.(map[string]any); ok && g.IntN(2) == 0 && item[faithfulLists[key]] != nil && key != "hostAliases" {
				item[faithfulLists[key]] = fmt.Sprintf("x-%d", g.IntN(100))
			}
		}
		return list
	})
}

// eachList replaces the lists that change returns, in the order of their names.
func eachList(v any, change func(key string, list []any) []any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if list, ok := v[key].([]any); ok {
				if _, listed := faithfulLists[key]; listed {
					v[key] = change(key, list)
				}
			}
			eachList(v[key], change)
		}
	case []any:
		for _, below := range v {
			eachList(below, change)
		}
	}
}

func empty(v any, g *rand.Rand) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			switch key {
			case "securityContext", "affinity", "nodeSelector", "free", "box", "limits", "emptyDir":
				if g.IntN(2) == 0 {
					v[key] = map[string]any{}
				}
			case "args", "tags", "whole", "tolerations", "hostAliases", "metrics":
				if g.IntN(2) == 0 {
					v[key] = []any{}
				}
			case "maybe", "readinessProbe", "sessionAffinity", "size":
				if g.IntN(2) == 0 {
					v[key] = nil
				}
			default:
				empty(v[key], g)
			}
		}
	case []any:
		for _, below := range v {
			empty(below, g)
		}
	}
}
