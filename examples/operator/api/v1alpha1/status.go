package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Types of conditions. Reconciling and Stalled are absent unless true, as kstatus
// expects it.
const (
	Ready       = "Ready"
	Reconciling = "Reconciling"
	Stalled     = "Stalled"
)

// ApplicationStatus is how the release is.
type ApplicationStatus struct {
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// Phase of the release, as engine.Phase, or Suspended.
	Phase string `json:"phase,omitempty"`
	// Revision is the newest one.
	Revision int `json:"revision,omitempty"`
	// Chart that was deployed, or is being deployed.
	Chart *ChartStatus `json:"chart,omitempty"`
	// Inventory lists the objects of the release.
	Inventory []ObjectReference `json:"inventory,omitempty"`
	// Drift that is there now.
	Drift *DriftStatus `json:"drift,omitempty"`
	// Diagnosis says what is not ready, and why, in words.
	Diagnosis []string `json:"diagnosis,omitempty"`
	// LastPlan is the last one that changed anything.
	LastPlan *PlanSummary `json:"lastPlan,omitempty"`
	// Deployed is a digest of the chart, the values and the settings that were deployed
	// last. What is live and differs from these is drift.
	Deployed string `json:"deployed,omitempty"`
}

// ChartStatus is a chart.
type ChartStatus struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
}

// ObjectReference names an object.
type ObjectReference struct {
	Group     string `json:"group,omitempty"`
	Version   string `json:"version"`
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// DriftStatus sums up drift.
type DriftStatus struct {
	// Objects that differ from what was deployed.
	Objects int `json:"objects"`
	// Fields that differ, with who has changed them, the first twenty.
	Fields []string `json:"fields,omitempty"`
}

// PlanSummary sums up a plan.
type PlanSummary struct {
	Kind    string `json:"kind"`
	From    int    `json:"from,omitempty"`
	To      int    `json:"to,omitempty"`
	Summary string `json:"summary"`
}
