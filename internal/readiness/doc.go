// Package readiness watches objects that were just applied until they are
// ready, fails early when one of them will not become ready, and reports why.
//
//	_, err := readiness.Wait(ctx, targets, readiness.Options{Client: client})
//	var not *readiness.NotReady
//	if errors.As(err, &not) {
//		fmt.Println(not) // what is wrong, with which object, and what to try
//	}
//
// # Readiness
//
// [Assess] judges an object by its own fields. For every kind: an object that
// is being deleted has failed; a generation that its controller has not observed
// is in progress. Then, by kind:
//
//   - Deployment: every replica is of the new ReplicaSet and available and no
//     old pod is left (what kubectl rollout status calls complete; pods that
//     are terminating do not count). Failed when the progress deadline is
//     exceeded. A paused one counts as ready.
//   - StatefulSet: all replicas ready, those from the partition on of the
//     update revision, and that revision recorded as current. OnDelete: all
//     ready, of whichever revision.
//   - DaemonSet: each node that should have it runs an available, updated pod.
//   - Job: complete. Failed on the condition Failed or FailureTarget. A suspended
//     one counts as ready. One that its ttlSecondsAfterFinished deletes is what
//     it was last seen to be; if it was gone before it was seen to end, it has
//     failed if an event says so, and otherwise counts as complete. CronJob: at
//     once.
//   - Pod: its Ready condition, or succeeded.
//   - PersistentVolumeClaim: bound, or waiting for a first consumer.
//   - Service: at once; of type LoadBalancer when it has an address.
//   - CustomResourceDefinition: established. APIService: available. Namespace:
//     active. PersistentVolume: available or bound.
//   - Ingress, HorizontalPodAutoscaler, PodDisruptionBudget and all other kinds
//     of Kubernetes: at once, without a request. Not every Ingress controller
//     writes a status. An autoscaler has no metrics before the pods run, and
//     syncs every 15 s only; a budget is in force as soon as it exists, whether
//     or not it allows a disruption now.
//   - Custom resources: the conditions Ready, Reconciling and Stalled as in
//     kstatus (github.com/fluxcd/cli-utils), the condition Available, and
//     observedGeneration. One without a status is ready if its kind has no
//     status subresource that a controller could write ([Target].NoStatus).
//     Otherwise it is Unknown, not ready: the wait allows it
//     [Limits].Unknown to report something, counted from its creation
//     if that was long ago, and then goes on without it. A timeout that comes
//     first does not fail because of it either.
//
// Options.Rules overrides any of these.
//
// # Watching
//
// One LIST and WATCH for each kind and namespace, narrowed to the object where
// there is only one. Watches resume at the last resource version, list again
// when it has expired, and survive a restart of the API server. Pods,
// ReplicaSets and warnings of the same namespaces are watched only once a
// workload was seen not to be ready; without permission to watch them the wait
// works with less detail.
//
// # What was applied
//
// A target is judged by the generation that was applied, or a later one. It has
// failed, with [CauseGone], if another object has taken its name, or if another
// client has changed what its manager had written into its spec
// ([Target].Written), other than the number of replicas.
//
// # Failing early
//
// Pods count by their owner and revision: those of a Deployment's new
// ReplicaSet, of a StatefulSet's update revision, of a DaemonSet's template
// generation. A broken pod of an old revision is shown but does not fail the
// wait, except for a StatefulSet with OrderedReady pod management: its
// controller does not replace such a pod, and the hint is to delete it.
// [Limits].Grace is how long each [Cause] may last. A crash loop counts from
// the last progress of any other target, as an application may need the
// database that is deployed with it.
//
// # Non-goals
//
// Nothing is written to the cluster. Secrets are read only by name, to report
// whether a pull secret exists; their contents are neither kept nor shown. Log
// lines and messages of events are shown as they are.
package readiness
