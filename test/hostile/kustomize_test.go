//go:build linux

package hostile

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-dev/fairlead/render"
)

// TestKustomize builds kustomizations that do much to many objects, or whose
// result is much larger than they are. Behind each, another tenant builds one of
// its own: what one may hold up the others with is part of the processor time.
func TestKustomize(t *testing.T) { Run(t, kustomizations()) }

const buildTime = 20 * time.Second

func kustomizations() []Case {
	var cases []Case
	add := func(name, limit string, files func() map[string]string) {
		cases = append(cases, Case{Name: name, Limit: limit, Time: buildTime, Run: func(ctx context.Context) error {
			err := kustomized(ctx, files())
			if other := kustomized(ctx, map[string]string{"kustomization.yaml": "namePrefix: a-\nresources: [x.yaml]\n", "x.yaml": configMap}); other != nil {
				return fmt.Errorf("the next build fails: %w", other)
			}
			return err
		}})
	}
	// over has n objects of a kind and a kustomization over them.
	over := func(n int, object, text string) map[string]string {
		return map[string]string{"kustomization.yaml": "resources: [x.yaml]\n" + text, "x.yaml": numbered(object, n)()}
	}
	const small = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\n"
	const pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a%d}\nspec: {containers: [{name: a, image: a}, {name: b, image: b}]}\n"
	pattern := func(n int) string { return strings.Repeat("(a{0,30}|b)*", n) }
	long := strings.Repeat("x", 500_000)

	for _, n := range []int{100, 1000} {
		title := func(s string) string { return fmt.Sprintf("%s over %d objects", s, n) }
		add(title("images"), "", func() map[string]string {
			return over(n, pod, "images:\n"+numbered("- {name: i%d, newTag: x}\n", 20_000)())
		})
		add(title("images by patterns"), "", func() map[string]string {
			return over(n, pod, "images: [{name: '"+pattern(1000)+"', newTag: x}]\n")
		})
		add(title("labels"), "", func() map[string]string {
			return over(n, pod, "labels:\n"+numbered("- {pairs: {a%d: b}, includeSelectors: true}\n", 2000)())
		})
		add(title("labels with fields"), "", func() map[string]string {
			return over(n, pod, "labels:\n- pairs: {a: b}\n  fields:\n"+numbered("  - {path: spec/a%d/b, create: true}\n", 2000)())
		})
		add(title("annotations"), "", func() map[string]string { return over(n, pod, "commonAnnotations:\n"+numbered("  a%d: b\n", 2000)()) })
		add(title("a long annotation"), "", func() map[string]string { return over(n, pod, "commonAnnotations: {a: "+long+"}\n") })
		add(title("replacements"), "", func() map[string]string {
			return over(n, small, "replacements:\n"+numbered("- {source: {kind: ConfigMap, name: a1}, targets: [{select: {kind: ConfigMap}, fieldPaths: [metadata.labels.a%d], options: {create: true}}]}\n", 2000)())
		})
		add(title("replacements of a long text"), "", func() map[string]string {
			files := over(n, small, "replacements:\n- source: {kind: Secret, fieldPath: data.a}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a, data.b, data.c, data.d], options: {create: true}}]\n")
			files["x.yaml"] += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: " + long + "}\n"
			return files
		})
		add(title("replacements of a large tree"), "", func() map[string]string {
			files := over(n, small, "replacements:\n- source: {kind: Secret, fieldPath: data}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a, data.b, data.c, data.d], options: {create: true}}]\n")
			files["x.yaml"] += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {" + numbered("a%d: b, ", 2000)() + "}\n"
			return files
		})
		add(title("replacements into themselves"), "", func() map[string]string {
			files := over(n, small, "replacements:\n"+strings.Repeat("- source: {kind: Secret, fieldPath: data}\n  targets: [{select: {kind: Secret}, fieldPaths: [data.a], options: {create: true}}]\n", 30))
			files["x.yaml"] += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: b, b: {c: d}}\n"
			return files
		})
		add(title("replacements that double"), "", func() map[string]string {
			files := over(n, small, "replacements:\n"+strings.Repeat("- source: {kind: Secret, fieldPath: data}\n  targets: [{select: {kind: Secret}, fieldPaths: [data.a, data.b], options: {create: true}}]\n", 40))
			files["x.yaml"] += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {x: y}\n"
			return files
		})
		add(title("replacements of a part with a large number"), "", func() map[string]string {
			return over(n, small, "replacements:\n- source: {kind: ConfigMap, name: a1, fieldPath: metadata.name}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [kind], options: {delimiter: '/', index: 2000000000}}]\n")
		})
		add(title("replacements with wildcards"), "", func() map[string]string {
			return over(n, small, "replacements:\n- source: {kind: ConfigMap, name: a1, fieldPath: metadata.name}\n  targets: [{select: {kind: ConfigMap}, fieldPaths: ['"+strings.Repeat("*.", 2000)+"*']}]\n")
		})
		add(title("replacements by patterns"), "", func() map[string]string {
			return over(n, small, "replacements:\n- source: {kind: ConfigMap, name: a1, fieldPath: metadata.name}\n  targets: [{select: {name: '"+pattern(300)+"'}, fieldPaths: [data.x], options: {create: true}}]\n")
		})
		add(title("variables in a long text"), "", func() map[string]string {
			files := over(n, small, "vars:\n- {name: V, objref: {kind: Secret, name: s, apiVersion: v1}, fieldref: {fieldpath: data.a}}\nconfigurations: [c.yaml]\n")
			files["c.yaml"] = "varReference: [{kind: ConfigMap, path: data/x}]\n"
			files["x.yaml"] += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {a: " + long + "}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {x: '" + strings.Repeat("$(V)", 50_000) + "'}\n"
			return files
		})
		add(title("patches"), "", func() map[string]string {
			return over(n, small, "patches:\n- target: {kind: ConfigMap}\n  patch: |\n    apiVersion: v1\n    kind: ConfigMap\n    metadata: {name: x}\n    data:\n"+numbered("      k%d: v\n", 2000)())
		})
		add(title("patches by patterns"), "", func() map[string]string {
			return over(n, small, "patches:\n"+numbered("- target: {name: '"+strings.ReplaceAll(pattern(30), "%", "%%")+"%d'}\n  patch: '[{op: add, path: /data, value: {}}]'\n", 200)())
		})
		add(title("patches by selectors"), "", func() map[string]string {
			return over(n, small, "patches:\n- target: {labelSelector: '"+numbered("a%d in (a, b), ", 20_000)()+"a'}\n  patch: '[{op: add, path: /data, value: {}}]'\n")
		})
		add(title("operations"), "", func() map[string]string {
			return over(n, small, "patches:\n- target: {kind: ConfigMap}\n  patch: |-\n    - {op: add, path: /data, value: []}\n"+strings.Repeat("    - {op: add, path: /data/0, value: a}\n", 5000))
		})
		add(title("doubling operations"), "", func() map[string]string {
			return over(n, small, "patches:\n- target: {kind: ConfigMap}\n  patch: |-\n    - {op: add, path: /data, value: {a: b}}\n"+numbered("    - {op: copy, from: /data, path: /data/a%d}\n", 40)())
		})
		add(title("operations that copy a long text"), "", func() map[string]string {
			return over(n, small, "patches:\n- target: {kind: ConfigMap, name: a1}\n  patch: |-\n    - {op: add, path: /data, value: {a: "+long[:10_000]+"}}\n"+numbered("    - {op: copy, from: /data/a, path: /data/a%d}\n", 5000)())
		})
		add(title("replicas"), "", func() map[string]string {
			return over(n, pod, "replicas:\n"+numbered("- {name: a%d, count: 2}\n", 20_000)())
		})
		add(title("configurations"), "", func() map[string]string {
			files := over(n, pod, "namePrefix: x-\nconfigurations: [c.yaml]\n")
			files["c.yaml"] = "namePrefix:\n" + numbered("- {path: spec/a%d}\n", 20_000)()
			return files
		})
		add(title("name references of configurations"), "", func() map[string]string {
			files := over(n, pod, "namePrefix: x-\nconfigurations: [c.yaml]\n")
			files["c.yaml"] = "nameReference:\n- kind: Pod\n  fieldSpecs:\n" + numbered("  - {path: spec/a%d, kind: Pod}\n", 20_000)()
			return files
		})
		add(title("name references"), "", func() map[string]string {
			files := over(n, small, "namePrefix: x-\n")
			files["x.yaml"] += "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: a, envFrom: [" + numbered("{configMapRef: {name: a%d}}, ", 2000)() + "]}]}\n"
			return files
		})
		add(title("annotations of transformers"), "", func() map[string]string {
			return over(n, small, "buildMetadata: [transformerAnnotations, originAnnotations, managedByLabel]\nlabels:\n"+numbered("- {pairs: {a: b%d}}\n", 300)())
		})
		add(title("annotations of transformers in files"), "", func() map[string]string {
			files := over(n, small, "buildMetadata: [transformerAnnotations]\ntransformers: ["+strings.Repeat("t.yaml, ", 300)+"]\n")
			files["t.yaml"] = "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: x}\nlabels: {a: b}\n"
			return files
		})
		add(title("order"), "", func() map[string]string {
			return over(n, small, "sortOptions:\n  order: legacy\n  legacySortOptions: {orderFirst: ["+numbered("A%d, ", 100_000)()+"], orderLast: ["+numbered("B%d, ", 100_000)()+"]}\n")
		})
		add(title("components"), "", func() map[string]string {
			files := over(n, small, "components: ["+numbered("c%d, ", 200)()+"]\n")
			for i := range 200 {
				files[fmt.Sprintf("c%d/kustomization.yaml", i)] = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nnamePrefix: x-\nlabels: [{pairs: {a: b}}]\n"
			}
			return files
		})
		add(title("kustomizations inside of each other"), "", func() map[string]string {
			files := over(n, small, "")
			for i := range 200 {
				dir := strings.Repeat("d/", i+1)
				files[dir+"kustomization.yaml"] = "resources: [..]\nnameSuffix: -x\n"
			}
			files["top/kustomization.yaml"] = "resources: [../" + strings.Repeat("d/", 200) + "]\n"
			files["kustomization.yaml"], files["base/kustomization.yaml"] = "resources: [top]\n", files["kustomization.yaml"]
			return files
		})
	}
	for _, count := range []int{20, 30, 60} {
		add(fmt.Sprintf("%d doubling operations", count), "", func() map[string]string {
			return over(3, small, "patches:\n- target: {kind: ConfigMap, name: a1}\n  patch: |-\n    - {op: add, path: /data, value: {a: b}}\n"+numbered("    - {op: copy, from: /data, path: /data/a%d}\n", count)())
		})
		add(fmt.Sprintf("%d doubling replacements", count), "", func() map[string]string {
			return over(3, small+"data: {a: {b: c}}\n", "replacements:\n"+strings.Repeat("- {source: {kind: ConfigMap, name: a1, fieldPath: data}, targets: [{select: {name: a1}, fieldPaths: [data.x, data.y], options: {create: true}}]}\n", count))
		})
		add(fmt.Sprintf("%d doubling texts", count), "", func() map[string]string {
			return over(3, small+"data: {a: b/c}\n", "replacements:\n"+strings.Repeat("- {source: {kind: ConfigMap, name: a1, fieldPath: data.a}, targets: [{select: {name: a1}, fieldPaths: [data.a], options: {delimiter: /, index: 1}}]}\n", count))
		})
	}
	for name, text := range map[string]string{
		"literals":                         "configMapGenerator:\n- name: x\n  literals: [" + numbered("a%d=b, ", 40_000)() + "]\n",
		"generators":                       "configMapGenerator:\n" + numbered("- {name: x%d, literals: [a=b]}\n", 5000)(),
		"generators that merge":            "configMapGenerator:\n- {name: x, literals: [a=b]}\n",
		"generators that replace":          "configMapGenerator:\n- {name: x, literals: [a=b]}\n" + strings.Repeat("- {name: x, behavior: replace, literals: [a=b]}\n", 2000),
		"options of generators":            "generatorOptions: {labels: {" + numbered("a%d: b, ", 2000)() + "}}\nconfigMapGenerator:\n" + numbered("- {name: x%d, literals: [a=b]}\n", 1000)(),
		"schema that refers to itself":     "openapi: {path: s.json}\n",
		"definition that refers to itself": "crds: [c.json]\nresources: [x.yaml]\n",
		"definitions in a circle":          "crds: [d.json]\nresources: [x.yaml]\n",
		"merged lists":                     "resources: [l.yaml]\npatches: [{path: l.yaml}]\n",
		"lists inside of lists":            "resources: [n.yaml]\n",
		"anchors":                          "resources: [a.yaml]\n",
		"policy":                           "generators: [p.yaml]\n",
		"values":                           "resources: [x.yaml]\ntransformers: [v.yaml]\n",
	} {
		add(name, "", func() map[string]string {
			return map[string]string{
				"kustomization.yaml": text, "x.yaml": configMap,
				"s.json": `{"definitions":{"x.A":{"x-kubernetes-group-version-kind":[{"group":"","kind":"A","version":"v1"}],"properties":{"a":{"$ref":"#/definitions/x.A"}}}}}`,
				"c.json": `{"x.A":{"Schema":{"x-kubernetes-annotation":"","properties":{"a":{"$ref":"x.A"},"kind":{},"apiVersion":{},"metadata":{}}}}}`,
				"d.json": `{"x.A":{"Schema":{"properties":{"a":{"$ref":"x.B"},"b":{"$ref":"x.B"},"kind":{},"apiVersion":{},"metadata":{}}}},"x.B":{"Schema":{"properties":{"a":{"$ref":"x.A"},"b":{"$ref":"x.A"}}}}}`,
				"l.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [" + numbered("{name: c%d}, ", 3000)() + "]}\n",
				"n.yaml": strings.Repeat("{apiVersion: v1, kind: List, items: [", 300) + "{apiVersion: v1, kind: A, metadata: {name: a}}" + strings.Repeat("]}", 300),
				"a.yaml": configMap + "data: {a: &a {b: c}, d: [" + strings.Repeat("*a, ", 20_000) + "]}\n",
				"p.yaml": "apiVersion: builtin\nkind: IAMPolicyGenerator\nmetadata: {name: x}\ncloud: gke\nkubernetesService: {name: " + long + "}\nserviceAccount: {name: a, projectId: b}\n",
				"v.yaml": "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: x}\nvalue: " + long + "\ntargets: [" + strings.Repeat("{selector: {kind: ConfigMap}, fieldPath: data/a, fieldSpec: {path: data/a}, filePathPosition: 1000000000}, ", 1000) + "]\n",
			}
		})
	}
	SortCases(cases)
	return cases
}

// TestTenants runs hostile charts of many tenants at once, of which each alone
// stays below its limits.
func TestTenants(t *testing.T) {
	Run(t, []Case{
		{Name: "renders at once", Always: true, Run: func(ctx context.Context) error {
			return atOnce(32, func(share *render.Share) error {
				_, err := memoryChart.Render(ctx, render.Input{Name: "demo", Share: share, Limits: tenantLimits})
				return err
			})
		}},
		{Name: "builds at once", Run: func(ctx context.Context) error {
			return atOnce(32, func(share *render.Share) error {
				files := fstest.MapFS{"kustomization.yaml": {Data: []byte("resources: [x.yaml]\n")}, "x.yaml": {Data: []byte(numbered("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\n", 300)())}}
				k, err := render.LoadKustomizationWith(ctx, files, ".", render.KustomizeOptions{Share: share, Limits: tenantLimits})
				if err != nil {
					return err
				}
				_, err = k.Render(ctx, render.Input{Name: "demo", Share: share, Limits: tenantLimits})
				return err
			})
		}},
	})
}
