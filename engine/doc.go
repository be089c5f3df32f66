// Package engine deploys rendered charts to a Kubernetes cluster: it plans what
// would change and why, applies exactly that with server-side apply, waits until
// it is ready or reports why it is not, and records revisions to roll back to.
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
// # Vocabulary
//
// A release is a name in a namespace ([Key]) under which a set of objects is
// deployed. A revision is one state of it that was deployed or attempted; the
// history is all revisions that are stored. A [Plan] is what one call would do:
// plain data that can be shown, stored, and given to [Engine.Apply]. The Cause
// of a release is a text for people that says why; the [Cause] of a diagnosis
// is a constant that classifies what is wrong.
//
// # Guarantees
//
// Reading ([Engine.Plan], [Engine.PlanRollback], [Engine.PlanUninstall],
// [Engine.Drift], [Engine.Status], [Engine.History], [Engine.List]) never
// writes, and works with read-only permissions.
//
// Apply does what the plan shows: the same objects, the same fields. It plans
// again first and returns [StalePlanError] if the result differs. A plan with
// [Problem]s is refused as a whole, before anything is written. A deploy that
// changes nothing writes nothing, the history included.
//
// The pending revision is recorded, with its whole manifest, before the first
// object is written. If the process dies then, the next call compares with
// everything attempted since the last healthy revision and continues from
// there: there is nothing to unlock, and nothing is orphaned. Meanwhile that
// revision blocks other operations on the release, and shows whether its holder is
// still running: they get ErrBusy, wait, or supersede, as ApplyOptions decides.
//
// Fields have owners. A field that another field manager owns and sets
// differently is a conflict; it is not taken unless [Release].Force or
// [Options].Ownership says so. Objects of another release are never taken.
//
// A deploy ends as soon as its outcome is known. If objects do not become
// ready, the error is a [NotReadyError] with the cause, the pods, the warning
// events and the last log lines. [FailurePolicy] bounds how long each cause may
// last, [ReadyRule] decides about your own kinds, and [Engine.Status] returns
// the same diagnosis at any later time. [Event]s report the progress.
//
// No Secret value is in a report, plan, event or error.
//
// When the context ends, a call stops at once, and leaves its revision pending for
// the next one to go on with; recording that takes 15 seconds at most. All
// goroutines of a call have ended when it returns. [Engine.Reconcile] never waits.
//
// # Options and enumerations
//
// Options are structs whose zero value is the safe default. Their enumerations
// follow one rule: the empty value has a constant of its own, which is the
// default ([DryRunChanged], [CRDsCompatible], [LeaveFailed], [Fail],
// [ReplaceDefault]). The enumerations of results and of what a call is to do
// ([PlanKind], [Operation], [Verb], [RevisionStatus], [State], [TestPhase],
// [ProblemKind], [Cause]) have no constant for the empty value, which is none
// of them. A value that is not accepted is an error that wraps
// [ErrInvalidOptions] and lists the accepted ones: from [New] for [Options],
// from the call for all others.
//
// # Helm
//
// Revisions are stored as Helm 3 stores them, and objects have Helm's labels and
// annotations, so helm list, history, get, rollback, upgrade and uninstall work
// on what this package deployed, and the other way round. What differs from
// Helm: writes are server-side applies under the field manager "fairlead" (see
// [Options]), objects that do not depend on each other are written
// concurrently, and the template function lookup reads the release's own
// namespace only, unless Options.Lookup allows more.
//
// # Non-goals
//
// No loop that keeps a cluster in a state, and no fleet of clusters: the engine
// keeps no state but caches, so that both can be built over it.
package engine
