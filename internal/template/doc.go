// Package template compiles the templates of a chart once and executes them
// many times.
//
// Its language is text/template with the functions of Helm 3: what a template
// prints, whether it fails, and the words and position of the failure are those
// of helm.sh/helm/v3/pkg/engine, byte for byte. That engine parses every
// template at each render and clones the whole set at each tpl; this one parses
// at [Compile] and looks names up through a chain of scopes, so that a tpl costs
// no more than its own text, and its parse is kept.
//
//	set, err := template.Compile(sources, template.Options{})
//	run := set.NewRun(ctx, template.Env{})
//	for _, name := range set.Names() {
//		text, err := run.Execute(name, data)
//	}
//
// # Vocabulary
//
// A [Set] is all templates of a chart and of its subcharts, compiled: immutable
// and safe for concurrent use. A [Run] is one render of it: it counts nested
// includes and spends an account, and belongs to one goroutine, because
// templates may change the values that they are given. The cost of a function is
// what a call of it takes at most, found from its arguments.
//
// # Guarantees
//
// A failure is an [*Error] whose text is Helm's; exceeding a limit is an error
// that wraps a [*LimitError]. Every function is charged before it is called: one
// without a stated cost does not exist, and a method without one is charged as
// if it wrote out all that it can see. No input makes the package panic or
// overflow the stack. No environment variable, file or name server is read.
//
// Not here: loading charts, preparing values, splitting manifests.
package template
