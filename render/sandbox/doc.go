// Package sandbox renders charts, kustomizations and plain manifests in child
// processes, so that no chart can end or block the process that asks for it.
//
//	func main() {
//		sandbox.Main() // first: a child serves here, and never returns
//		pool, err := sandbox.New(sandbox.Options{})
//		defer pool.Close()
//		source, err := pool.LoadFS(ctx, os.DirFS("chart"))
//		manifest, err := source.Render(ctx, render.Input{Name: "shop"})
//	}
//
// A [Source] is a Source of package engine: put it into engine.Release.Source.
//
// # How it works
//
// The children are the program itself, started again through /proc/self/exe. A
// [Pool] keeps some of them ready, each renders one input at a time, and keeps
// the charts that it has compiled. Requests and results are JSON behind their
// length, over pipes. The template function lookup, and Input.SchemaLoader, are
// called in the parent, by the goroutine that called Render and with its context.
// Post-renderers run in the parent too, on the result; a [Source] made by
// [Pool.LoadKustomization] is a post-renderer that runs in a child.
//
// # Guarantees
//
// Before a child reads anything from its parent, it has
//
//   - an empty environment, the working directory /, and no descriptor of the
//     parent's but three pipes;
//   - limits of address space, processor time, open files, threads, and of 0 bytes
//     for written files and core dumps;
//   - user, network and IPC namespaces of its own: no network, no capabilities;
//   - a filter of system calls, and with it no new privileges: no other program or
//     process, no socket, no file opened for writing, no signal to another process.
//
// It is killed when its parent ends, when the context of a render ends, when a
// render takes longer than Limits.Time, and when it sends what it may not send.
// A child that dies makes one call fail, with a [*render.LimitError] whose Limit is
// one of the constants of this package. The next call gets another child, and
// calls in other children go on.
//
// Apart from that, results and errors are those of rendering in process: the same
// manifest, and the same error types with the same texts. Errors of lookup are the
// very values that the function returned.
//
// Where the kernel does not allow all of this, [New] fails with an
// [*UnsupportedError] that lists what is missing. [Options].BestEffort goes on
// without it, and [Pool.Missing] lists it. There are no such limits on other
// systems than Linux on amd64 and arm64.
//
// # Non-goals
//
// One pool is for charts that may know of each other: a child renders one after
// the other. Use a pool for each tenant if an attacker could break Go's memory
// safety. A child can read the files that the user of the program can read; the
// chart has no function for that. Init functions of the program's packages run in
// the child before its limits. The time zone is the host's, not that of TZ.
package sandbox
