// Package readiness waits on watches until objects that were just applied are
// ready, ends early when one of them is hopeless, and says why.
//
//	_, err := readiness.Wait(ctx, targets, readiness.Options{Client: client})
//	var not *readiness.NotReady
//	if errors.As(err, &not) {
//		fmt.Println(not) // what is wrong, where, what to try
//	}
//
// # Readiness
//
// [Assess] judges an object by itself. For every kind: an object that is being
// deleted has failed; a generation that its controller has not observed is in
// progress. Then, by kind:
//
//   - Deployment: every replica is of the new ReplicaSet and available and no
//     old pod is left (what kubectl rollout status calls complete). Failed when
//     the progress deadline has passed. A paused one is left alone.
//   - StatefulSet: all replicas ready, those from the partition on of the
//     update revision, and that revision recorded as current. OnDelete: all
//     ready, of whichever revision.
//   - DaemonSet: each node that should have it runs an available, updated pod.
//   - Job: complete. Failed as soon as it is bound to fail. A suspended one is
//     left alone. CronJob: at once.
//   - Pod: its Ready condition, or ended successfully.
//   - PersistentVolumeClaim: bound, or waiting for a first consumer.
//   - Service: at once; of type LoadBalancer when it has an address.
//   - CustomResourceDefinition: established. APIService: available. Namespace:
//     active. PersistentVolume: available or bound.
//   - Ingress, HorizontalPodAutoscaler, PodDisruptionBudget and all other kinds
//     of Kubernetes: at once, without a request. An Ingress gets no status where
//     no controller reports one. An autoscaler has no metrics before the pods
//     run, and looks for its target every 15 s only; a budget is in force when
//     it is there, whether or not it allows a disruption now.
//   - Custom resources: the conditions Ready, Reconciling and Stalled as in
//     kstatus (github.com/fluxcd/cli-utils), the condition Available, and
//     observedGeneration. One that says nothing is ready if its kind has no
//     status subresource, through which a controller would say something
//     ([Target].NoStatus). Else it is Unknown, not ready; it is given a moment,
//     which an object that is old has had already, and then holds up nothing,
//     a deadline that comes first included.
//
// Options.Rules replaces any of these.
//
// # Watching
//
// One LIST and WATCH for each kind and namespace, narrowed to the object where
// there is only one. Watches resume where they ended, begin anew when the
// server has forgotten that point, and outlast the server's restart. Pods,
// ReplicaSets and warnings of the same namespaces are watched only once a
// workload was seen not to be ready; without the right to do so the wait goes
// on and knows less.
//
// # Failing early
//
// Pods count by their owner and revision: those of a Deployment's new
// ReplicaSet, of a StatefulSet's update revision, of a DaemonSet's template
// generation. A broken pod of an old revision is shown and fails nothing, but
// for a StatefulSet that works in order: its controller does not replace such
// a pod, and the hint says to delete it.
// [FailurePolicy] says how long each [Cause] may last. A crash loop is
// measured from the last step forward of anything else that is waited for, as
// an application may need the database beside it.
//
// # What is not here
//
// Nothing is written to the cluster. Secrets are asked for only by name, to say
// whether a pull secret exists; their contents are neither kept nor shown. Log
// lines and messages of events are shown as they are.
package readiness
