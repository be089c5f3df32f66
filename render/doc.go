// Package render turns a chart and values into Kubernetes objects.
//
//	//go:embed all:chart
//	var files embed.FS
//
//	fsys, err := fs.Sub(files, "chart")
//	chart, err := render.LoadFS(fsys)
//	values, err := render.MergeValues(render.FromFile("prod.yaml"), render.FromSet("replicas=3"))
//	manifest, err := chart.Render(ctx, render.Input{Name: "shop", Namespace: "prod", Values: values})
//	err = manifest.WriteYAML(os.Stdout)
//
// # Vocabulary
//
// A [Chart] is loaded once, by [LoadFS], [LoadArchive] or [LoadFiles], and
// rendered many times. [Values] are layers merged by [MergeValues], later ones
// over earlier ones: files, maps, the forms of --set. A render gives a
// [Manifest]: [Object] values in install order, [Hook] values, CRDs, notes, and
// the text of each template. A [PostRenderer] changes objects afterwards;
// [Kustomize] is one. A [Kustomization] and [Manifests] are sources besides
// charts.
//
// # Guarantees
//
// What templates print, whether they fail, and the words and place of the
// failure are those of Helm 3, byte for byte; [Manifest.WriteYAML] prints what
// helm template does. Beyond Helm, documents that no cluster would take are
// refused: without kind or name, or twice the same object.
//
// Equal inputs give equal manifests, as far as templates do not draw at random
// or read the clock: keys and values list maps in the order of their keys. Charts, values and sources are immutable and safe for
// concurrent use. Nothing is read but what is given: no environment, no network,
// no cluster, no file outside of the chart; values files and --set-file are the
// caller's own.
//
// A chart is not trusted. [Limits] bound what loading and rendering may cost,
// and zero means safe ones; exceeding one is a [*LimitError]. Everything that
// templates can call is charged before it is done, and one account counts
// memory, output and steps for the whole render.
//
// Errors are [*Error] values with file, line, column, include chain, expression
// and what to do next; of a missing value, the path and the layers that were
// looked at; of broken output, the rendered line and the template's. Values that
// a schema refuses are all in one [*SchemaError]. [Chart.Origin] says which
// layer and line a value comes from, and what it hides.
//
// Not here: fetching charts (package charts), talking to a cluster (package
// engine).
package render
