// Package charts is where charts come from: two of its own, and Load for all others.
//
//	values, err := charts.WebAppValues{
//		Replicas: new(int32(3)),
//		Image:    charts.Image{Repository: "registry.example.com/shop", Tag: "1.0"},
//	}.Values()
//	…
//	manifest, err := charts.WebApp().Render(ctx, render.Input{Name: "shop", Namespace: "prod", Values: values})
//
// # The built-in charts
//
// WebApp is a stateless web application: a Deployment and what belongs around it. Database is a stateful database: a
// StatefulSet, its Services, claims and StorageClass, with presets for PostgreSQL, MySQL, MongoDB and Redis. They cover
// what is deployed most, so that most users need not write a template. Each is a folder that plain Helm can install as
// well; its README.md says how it behaves and lists its values.
//
// Values are plain, or typed: WebAppValues and DatabaseValues have one field for each value. A field that is zero is left
// out, and the chart's default holds. Where zero itself is a choice the field is a pointer: new(int32(0)) replicas.
//
// # What holds for both
//
//   - Pods meet the restricted Pod Security Standard by default.
//   - The same values render the same bytes: nothing is random, no password is made up.
//   - Nothing empty is rendered. What the values do not ask for is left to Kubernetes.
//   - Values are checked against a schema that knows every key; a key that it does not know is refused.
//   - Objects have the release's name, cut and hashed where it is too long. Selectors do not change between versions.
//   - Credentials are in Secrets only.
//
// # Loading others
//
// Load reads a directory, a packaged chart, an OCI registry, an https address or a repository. Charts are not trusted:
// downloads are bounded and verified, and credentials go to no other host than theirs. On demand it verifies signatures,
// keeps downloads in a cache and resolves dependencies.
//
// Not here: a chart repository server, packaging, pushing.
package charts
