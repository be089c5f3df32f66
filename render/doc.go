// Package render turns a chart and values into Kubernetes objects, as Helm
// does, byte for byte.
//
// The smallest program:
//
//	chart, err := render.LoadFS(os.DirFS("charts/web"))
//	…
//	values, err := render.MergeValues(render.FromFile("prod.yaml"), render.FromSet("replicas=3"))
//	…
//	manifest, err := chart.Render(ctx, render.Input{Name: "shop", Namespace: "prod", Values: values})
//	…
//	err = manifest.WriteYAML(os.Stdout)
//
// # Words
//
// A [Chart] is loaded once, from a file system ([LoadFS]) or an archive
// ([LoadArchive]), compiled, and rendered many times. [Values] are merged from
// layers by Helm's rules; later ones win, and [Values.Origin] says which layer,
// file and line gave a value. A [Manifest] is what comes out: objects in
// install order, with hooks, CRDs and notes apart. A [Kustomization] and plain
// [Manifests] render likewise, and a [PostRenderer] changes the objects after
// the chart, [Kustomize] above all.
//
// # What holds
//
// [Manifest].Files is what Helm's engine returns, errors included where they
// have to be; the tests compare and fuzz against it.
//
// A chart is not trusted. It sees no environment, no clock but its own
// functions', no DNS, and no file but its own; lookup answers only what
// [Input].Lookup gives; time, memory, depth and output have [Limits].
//
// Errors say the file, the line and the column of a template, or the layer and
// the line of a values file, and what to do next.
//
// A Chart is immutable and safe for concurrent use, and so are the other
// sources.
//
// # Not here
//
// No cluster and no network: package charts fetches charts, package engine
// deploys what is rendered here.
package render
