package engine

// Cause classifies what is wrong with an object or pod, for programs to branch
// on and count by. Reason and Message beside it are Kubernetes' own words. The
// empty Cause says that nothing is known to be wrong.
//
// How long each may last before a call gives up is in [FailurePolicy].
type Cause string

const (
	// CauseImagePull: the registry is unreachable or returned an error that may
	// pass.
	CauseImagePull Cause = "ImagePull"
	// CauseImageRefused: the image does not exist, may not be pulled, or its
	// name is invalid.
	CauseImageRefused Cause = "ImageRefused"
	// CauseCrashLoop: a container keeps exiting.
	CauseCrashLoop Cause = "CrashLoop"
	// CauseOutOfMemory: a container keeps being killed at its memory limit.
	CauseOutOfMemory Cause = "OutOfMemory"
	// CauseConfig: a ConfigMap, Secret, key or volume that the pod needs is
	// missing.
	CauseConfig Cause = "Config"
	// CauseUnschedulable: no node fits the pod.
	CauseUnschedulable Cause = "Unschedulable"
	// CauseClaim: a PersistentVolumeClaim is not bound yet.
	CauseClaim Cause = "Claim"
	// CauseClaimRefused: a PersistentVolumeClaim or its StorageClass does not
	// exist.
	CauseClaimRefused Cause = "ClaimRefused"
	// CauseQuota: a ResourceQuota is exceeded.
	CauseQuota Cause = "Quota"
	// CauseLimits: a LimitRange forbids the pod.
	CauseLimits Cause = "Limits"
	// CauseAdmission: a webhook, policy or validation rejects the pod.
	CauseAdmission Cause = "Admission"
	// CauseServiceAccount: the pod's ServiceAccount does not exist.
	CauseServiceAccount Cause = "ServiceAccount"
	// CauseUnready: the containers run, and their probes fail.
	CauseUnready Cause = "Unready"
	// CauseEvicted: the node evicted the pod.
	CauseEvicted Cause = "Evicted"
	// CausePodFailed: the pod has failed and is not restarted.
	CausePodFailed Cause = "PodFailed"
	// CauseDeadline: the Deployment's progress deadline is exceeded.
	CauseDeadline Cause = "Deadline"
	// CauseFinal: the object has failed for good: a Job, a Pod, a lost claim.
	CauseFinal Cause = "Final"
	// CauseStalled: the object's own status says that it has failed.
	CauseStalled Cause = "Stalled"
	// CauseGone: the object does not exist, is being deleted, was replaced by
	// another one of its name, or another client has changed what was deployed.
	CauseGone Cause = "Gone"
	// CauseGated: a scheduling gate holds the pod back.
	CauseGated Cause = "Gated"
	// CauseTimeout: nothing is known to be wrong, and the time was up.
	CauseTimeout Cause = "Timeout"
)
