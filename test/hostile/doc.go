// Package hostile runs inputs that attack the process: each in a child with an
// address space of 1 GiB and the default limits. No input may end the child,
// hang it, take more memory than its limit, or fail without a typed error, and
// the render after it must be unharmed.
//
// There is one test a door (templates, YAML, schemas, archives, ...), in a file
// of its own:
//
//	func TestSchemas(t *testing.T) {
//		hostile.Run(t, []hostile.Case{{
//			Name: "doubling allOf",
//			Run:  func(ctx context.Context) error { return renderChart(ctx, files) },
//		}})
//	}
//
// [Run] executes the test binary again for batches of cases. go test runs an
// evenly spread part of each door, `make hostile` all of it.
package hostile
