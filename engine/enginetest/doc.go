// Package enginetest is for tests of programs that embed the engine: a cluster in
// memory, on which a real engine.Engine works, in milliseconds and without a network.
//
//	c := enginetest.New("shop")
//	eng, err := c.Engine(engine.Options{OnEvent: record})
//	c.Hold(web)                                       // does not become ready
//	c.Fail(enginetest.Fault{Verb: "patch", Times: 1}) // the next one fails
//	progress, err := eng.Reconcile(ctx, release, engine.ReconcileOptions{})
//
// The engine is the real one, with all of its methods: it renders, plans, compares,
// records revisions, runs hooks, waits, and emits its events. What it talks to is a
// small stand-in for the API server, called in this process. It has
//
//   - the kinds of Kubernetes' stable versions, and those of CustomResourceDefinitions
//     that are created; get, list, watch, create, update, delete, merge patches, and
//     server-side apply with field owners and conflicts;
//   - namespaces, which must exist, generations, finalizers, and deletion of what an
//     object owns;
//   - the statuses that controllers would write, at once: Deployment, StatefulSet,
//     DaemonSet, ReplicaSet, Pod, PersistentVolumeClaim and Service of type
//     LoadBalancer are ready, a Job is complete, a CustomResourceDefinition
//     established. [Cluster.Hold] keeps an object from it;
//   - failures on demand, see [Cluster.Fail].
//
// # What it does not do
//
// It sets no defaults, and validates nothing but the types of fields of built-in
// kinds, in server-side apply: no admission, quotas, immutable fields, or versions to
// convert between. It has no schemas to serve, so that plans ask it for more dry-runs
// than a real API server. Everything is allowed to every user: missing permissions are a
// Fault. No controllers run: there are no pods of a Deployment, no logs, no scaling, and
// a diagnosis does not name pods. Lists of custom resources are atomic. It knows no JSON
// patches, by which the engine takes over some objects that Helm or kubectl have
// written, and no strategic merge patches.
//
// So a test with it shows what a program does with plans, progress and errors, not that
// a chart works. For that, use a real API server.
package enginetest
