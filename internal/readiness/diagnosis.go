package readiness

import "time"

// Cause classifies what can be wrong, for programs; Reason and Message of a
// diagnosis are those of Kubernetes.
type Cause string

const (
	CauseImagePull      Cause = "ImagePull"      // the registry cannot be reached, or returns a temporary error
	CauseImageRefused   Cause = "ImageRefused"   // no such image, no permission to pull it, or an invalid name
	CauseCrashLoop      Cause = "CrashLoop"      // a container keeps exiting
	CauseOutOfMemory    Cause = "OutOfMemory"    // a container keeps being killed at its memory limit
	CauseConfig         Cause = "Config"         // a ConfigMap, Secret, key or volume is missing
	CauseUnschedulable  Cause = "Unschedulable"  // no node fits the pod
	CauseClaim          Cause = "Claim"          // a claim is not bound yet
	CauseClaimRefused   Cause = "ClaimRefused"   // a claim or its class does not exist
	CauseQuota          Cause = "Quota"          // a resource quota is used up
	CauseLimits         Cause = "Limits"         // a limit range forbids the pod
	CauseAdmission      Cause = "Admission"      // a webhook, policy or validation rejects the pod
	CauseServiceAccount Cause = "ServiceAccount" // the service account does not exist
	CauseUnready        Cause = "Unready"        // containers run, their probes fail
	CauseEvicted        Cause = "Evicted"        // the pod was evicted from its node
	CausePodFailed      Cause = "PodFailed"      // the pod failed
	CauseDeadline       Cause = "Deadline"       // the Deployment's progress deadline is exceeded
	CauseFinal          Cause = "Final"          // a Job or Pod has failed, or a claim is lost
	CauseStalled        Cause = "Stalled"        // the object's status reports that it is stalled
	CauseGone           Cause = "Gone"           // absent, being deleted, replaced, or overwritten
	CauseGated          Cause = "Gated"          // a scheduling gate blocks the pod
	CauseTimeout        Cause = "Timeout"        // no problem found; the wait timed out
)

// Diagnosis is what is known of one object and of its pods. It is plain data
// and holds no value of any Secret.
type Diagnosis struct {
	Kind      string `json:"kind"`
	Group     string `json:"group,omitempty"`
	Version   string `json:"version,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`

	State   State  `json:"state"`
	Cause   Cause  `json:"cause,omitempty"`  // empty: nothing is wrong
	Reason  string `json:"reason,omitempty"` // of the cause if there is one, otherwise of the state
	Message string `json:"message,omitempty"`

	Ready   int `json:"ready"`
	Updated int `json:"updated,omitempty"`
	Desired int `json:"desired"`

	Pods   []PodDiagnosis `json:"pods,omitempty"`   // in trouble, the worst first
	Events []Event        `json:"events,omitempty"` // warnings, the latest first
	Hint   string         `json:"hint,omitempty"`   // what to try
}

// PodDiagnosis is one pod in trouble, and its container if it is about one.
type PodDiagnosis struct {
	Name      string   `json:"name"`
	Node      string   `json:"node,omitempty"`
	Phase     string   `json:"phase,omitempty"`
	Container string   `json:"container,omitempty"` // empty: the pod as a whole
	Init      bool     `json:"init,omitempty"`      // an init container
	Old       bool     `json:"old,omitempty"`       // of an earlier revision, which is being replaced
	Cause     Cause    `json:"cause"`
	Reason    string   `json:"reason,omitempty"`
	Message   string   `json:"message,omitempty"`
	ExitCode  int      `json:"exitCode,omitempty"`
	Restarts  int      `json:"restarts,omitempty"`
	Image     string   `json:"image,omitempty"`
	Logs      []string `json:"logs,omitempty"` // the last lines
}

// Event is a warning that the cluster recorded.
type Event struct {
	Object  string    `json:"object"` // "Pod web-abc"
	Reason  string    `json:"reason"`
	Message string    `json:"message"`
	Count   int       `json:"count,omitempty"`
	Last    time.Time `json:"last"`
}

// Result is how the wait ended, in the order of the targets.
type Result struct {
	Objects []Outcome
}

// Outcome is the last known status of one target.
type Outcome struct {
	Target Target
	Status Status
}
