//go:build linux && (amd64 || arm64)

package hostile

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-dev/fairlead/render"
	"github.com/fairlead-dev/fairlead/render/sandbox"
)

// TestSandbox loads and renders in sandboxed children, with the default limits and
// without any: then the child dies, and what asked for the render gets an error.
func TestSandbox(t *testing.T) { Run(t, sandboxed()) }

// unlimited are limits of which none is ever reached.
var unlimited = render.Limits{
	ArchiveBytes: -1, ChartBytes: -1, FileBytes: -1, Entries: -1, Ratio: -1, Depth: -1, OutputBytes: -1, TemplateDepth: -1,
	MemoryBytes: -1, Documents: -1, DocumentDepth: -1, ResultBytes: -1, Steps: -1, SchemaSteps: -1, Keys: -1, Time: -1,
}

// pools has the pool for loads within limits, and the one for loads without. Each
// has one child, so that the next render is by the one that takes its place.
var pools = struct{ limited, unlimited func() (*sandbox.Pool, error) }{
	sync.OnceValues(func() (*sandbox.Pool, error) { return newPool(render.Limits{}) }),
	sync.OnceValues(func() (*sandbox.Pool, error) { return newPool(unlimited) }),
}

func newPool(limits render.Limits) (*sandbox.Pool, error) {
	// A sandboxed child would inherit the limit of this process, and be ended by it
	// before it has its own. What this process takes is measured all the same.
	var space syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &space); err != nil {
		return nil, err
	}
	space.Cur = space.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &space); err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Options{
		Children: 1, MemoryBytes: 384 << 20, CPUTime: 2 * time.Second, ResultBytes: 8 << 20, Limits: limits, BestEffort: true,
	})
}

func sandboxed() []Case {
	var cases, limited []Case
	add := func(name, limit string, load func(context.Context, *sandbox.Pool) (*sandbox.Source, error)) {
		without := Case{Name: name + ", unlimited", Limit: limit}
		without.Run = func(ctx context.Context) error { return inSandbox(ctx, pools.unlimited, unlimited, load) }
		within := Case{Name: name}
		within.Run = func(ctx context.Context) error { return inSandbox(ctx, pools.limited, render.Limits{}, load) }
		cases, limited = append(cases, without), append(limited, within)
	}
	chart := func(name, limit string, files func() map[string]string) {
		add(name, limit, func(ctx context.Context, p *sandbox.Pool) (*sandbox.Source, error) {
			f := files()
			f["Chart.yaml"] = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
			return p.LoadFS(ctx, mapFS(f))
		})
	}
	template := func(name, limit, text string) {
		chart(name, limit, func() map[string]string { return map[string]string{"templates/x.yaml": text} })
	}
	values := func(name, limit string, text func() string) {
		chart(name, limit, func() map[string]string {
			return map[string]string{"values.yaml": text(), "templates/x.yaml": "{{ len (toYaml .Values) }}"}
		})
	}
	schema := func(name, limit string, text func() string) {
		chart(name, limit, func() map[string]string {
			return map[string]string{"values.schema.json": text(), "values.yaml": "a: 1\nb: 1\n", "templates/x.yaml": "# nothing\n"}
		})
	}
	kustomization := func(name, limit string, files func() map[string]string) {
		add(name, limit, func(ctx context.Context, p *sandbox.Pool) (*sandbox.Source, error) {
			return p.LoadKustomization(ctx, mapFS(files()), ".")
		})
	}

	template("recursion", sandbox.LimitStack, `{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}`)
	template("recursion of tpl", "", `{{ $t := "{{ tpl .t . }}" }}{{ tpl $t (dict "t" $t) }}`)
	template("a loop without end", sandbox.LimitCPU, `{{ range 100000000000 }}{{ end }}`)
	template("a long text that grows", sandbox.LimitMemory, `{{ $s := repeat 1000000 "x" }}{{ range 20 }}{{ $s = print $s $s }}{{ end }}`)
	template("small maps without end", "", `{{ $d := dict }}{{ range $i := until 100000000 }}{{ $_ := set $d (print $i) (dict) }}{{ end }}`)
	template("a large output", "", `{{ range 60 }}{{ repeat 1000000 "x" }}{{ end }}`)
	template("a large manifest", sandbox.LimitResult, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n{{ range $i := until 10 }}  a{{ $i }}: {{ repeat 1000000 \"x\" }}\n{{ end }}")
	template("a cycle as YAML", "", `{{ $d := dict }}{{ $_ := set $d "x" $d }}{{ toYaml $d }}`)
	template("blocks", "", strings.Repeat("{{ if true }}", 300_000)+strings.Repeat("{{ end }}", 300_000))
	values("doubling aliases", "", func() string {
		b := strings.Builder{}
		b.WriteString("a0: &a0 [x, x]\n")
		for i := range 40 {
			fmt.Fprintf(&b, "a%d: &a%[1]d [*a%d, *a%[2]d]\n", i+1, i)
		}
		return b.String()
	})
	values("deep values", "", func() string { return "a: " + strings.Repeat("[", 2_000_000) + strings.Repeat("]", 2_000_000) })
	schema("doubling allOf", sandbox.LimitCPU, func() string {
		return doubling(60, "draft/2020-12/schema", `{"allOf":[NEXT,NEXT]}`, "true")
	})
	schema("a chain of references", "", func() string {
		return doubling(60_000, "draft/2020-12/schema", `{"allOf":[NEXT]}`, "true")
	})
	kustomization("images over objects", "", func() map[string]string {
		const pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a%d}\nspec: {containers: [{name: a, image: a}, {name: b, image: b}]}\n"
		return map[string]string{
			"x.yaml": numbered(pod, 1000)(), "kustomization.yaml": "resources: [x.yaml]\nimages:\n" + numbered("- {name: i%d, newTag: x}\n", 20_000)(),
		}
	})
	kustomization("replacements that double", "", func() map[string]string {
		return map[string]string{
			"x.yaml":             "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {x: y}\n",
			"kustomization.yaml": "resources: [x.yaml]\nreplacements:\n" + strings.Repeat("- source: {kind: Secret, fieldPath: data}\n  targets: [{select: {kind: Secret}, fieldPaths: [data.a, data.b], options: {create: true}}]\n", 40),
		}
	})
	add("an archive that unpacks to much", "", func(ctx context.Context, p *sandbox.Pool) (*sandbox.Source, error) {
		return p.LoadArchive(ctx, bytes.NewReader(zerosArchive(512<<20)))
	})
	return append(cases, limited...)
}

// inSandbox loads and renders a source, then another chart in the same pool.
func inSandbox(ctx context.Context, pool func() (*sandbox.Pool, error), limits render.Limits, load func(context.Context, *sandbox.Pool) (*sandbox.Source, error)) error {
	p, err := pool()
	if err != nil {
		return fmt.Errorf("start the children: %w", err)
	}
	source, err := load(ctx, p)
	if err == nil {
		_, err = source.Render(ctx, render.Input{Name: "demo", Limits: limits})
	}
	if err != nil && !errors.As(err, new(*render.LimitError)) {
		return fmt.Errorf("no limit: %v", err) // without a type
	}
	next, nextErr := p.LoadFS(ctx, control)
	if nextErr != nil {
		return fmt.Errorf("the next load in the sandbox fails: %v", nextErr) // without a type
	}
	m, nextErr := next.Render(ctx, render.Input{Name: "control"})
	if nextErr != nil {
		return fmt.Errorf("the next render in the sandbox fails: %v", nextErr) // without a type
	}
	if got := m.Files["control/templates/x.yaml"]; got != controlText {
		return fmt.Errorf("the next render in the sandbox prints %q", got)
	}
	return err
}

// zerosArchive is a packaged chart with one file of so many zeros, at the lowest cost.
func zerosArchive(size int64) []byte {
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	archive := tar.NewWriter(zip)
	const about = "apiVersion: v2\nname: web\nversion: 1.0.0\n"
	_ = archive.WriteHeader(&tar.Header{Name: "web/Chart.yaml", Mode: 0o600, Size: int64(len(about))}) // into memory
	_, _ = archive.Write([]byte(about))
	_ = archive.WriteHeader(&tar.Header{Name: "web/zeros", Mode: 0o600, Size: size})
	block := make([]byte, 1<<20)
	for range size / int64(len(block)) {
		_, _ = archive.Write(block)
	}
	_ = errors.Join(archive.Close(), zip.Close())
	return b.Bytes()
}
