// Package engine puts rendered charts into a Kubernetes cluster: it plans what
// would change and why, applies just that by server-side apply, waits until it
// runs or says why it does not, and records revisions to go back to.
//
// The smallest program:
//
//	eng, err := engine.New(restConfig, engine.Options{})
//	…
//	rev, err := eng.Deploy(ctx, engine.Release{
//		Key:    engine.Key{Namespace: "shop", Name: "web"},
//		Source: charts.WebApp(),
//		Values: values,
//		Cause:  "first version",
//	}, engine.ApplyOptions{})
//
// # Words
//
// A release is a name in a namespace ([Key]) under which a set of objects is
// deployed. A revision is one state of it that was deployed or tried; the
// history is all that are stored. A [Plan] is what one call would do: plain
// data, to be shown, stored, and given to [Engine.Apply]. A cause says why, for
// people.
//
// # What holds
//
// Reading ([Engine.Plan], [Engine.PlanRollback], [Engine.PlanUninstall],
// [Engine.Drift], [Engine.Status], [Engine.History], [Engine.List]) never
// writes, and works with read-only rights.
//
// Apply does what the plan shows: the same objects, the same fields. It plans
// again first and refuses with [StalePlanError] if the outcome would be
// another. A plan with [Problem]s is refused as a whole, before anything is
// written. A deploy that changes nothing writes nothing, the history included.
//
// The pending revision is recorded, with its whole manifest, before the first
// object is written. If the process dies then, the next call compares with all
// that was attempted since the last healthy revision, and goes on from there:
// there is nothing to unlock, and nothing is orphaned. A Lease keeps other
// deployers off the release meanwhile, and tells whether its holder lives:
// they get ErrBusy, wait, or supersede, as ApplyOptions says.
//
// Fields have owners. What another field manager owns and sets differently is
// a conflict and is not taken unless [Release].Force says so. Objects of
// another release are never taken.
//
// A deploy ends as soon as its outcome is known. What does not become ready is
// a [NotReadyError] with the cause, the pods, the warnings and the last log
// lines; [Patience] says what counts as hopeless, [ReadyRule] judges kinds of
// one's own, and [Engine.Status] makes the same diagnosis at any later time.
// [Event]s tell of it all meanwhile.
//
// Secret values are in no report, plan, event or error.
//
// A context's end stops a call at once; the revision is recorded as failed all
// the same, within 15 seconds. All work of a call has ended when it returns.
//
// # Beside Helm
//
// Revisions are stored as Helm 3 stores them, and objects carry Helm's marks, so
// helm list, history, get, rollback, upgrade and uninstall work on what this
// package deployed, and the other way round. What is not done as Helm does it:
// writes are server-side applies under the manager "fairlead" (see [Options]),
// objects that do not need each other are written concurrently, and the
// template function lookup reads the release's own namespace only, unless
// Options.Lookup allows more.
//
// # Not here
//
// No loop that keeps a cluster in a state, and no fleet of clusters: the engine
// keeps no state but caches, so build them over it.
package engine
