package storage

import (
	"slices"
	"time"
)

// Status of a revision, in Helm's words.
type Status string

const (
	StatusUnknown         Status = "unknown"
	StatusDeployed        Status = "deployed"
	StatusSuperseded      Status = "superseded"
	StatusFailed          Status = "failed"
	StatusUninstalling    Status = "uninstalling"
	StatusUninstalled     Status = "uninstalled"
	StatusPendingInstall  Status = "pending-install"
	StatusPendingUpgrade  Status = "pending-upgrade"
	StatusPendingRollback Status = "pending-rollback"
)

// Pending says whether the revision's deployer has not told its outcome.
func (s Status) Pending() bool {
	return s == StatusPendingInstall || s == StatusPendingUpgrade || s == StatusPendingRollback
}

// Record is one revision, whole.
type Record struct {
	Name, Namespace string
	Revision        int
	Status          Status
	Description     string // without the cause
	Cause           string

	FirstDeployed, LastDeployed, Deleted time.Time

	Chart    Chart
	Values   map[string]any // as the user gave them
	Manifest string         // YAML documents, each after "---\n# Source: …"
	Hooks    []Hook
	Notes    string
	Labels   map[string]string // the user's, on the Secret

	raw             map[string]any // the JSON as it was read; nil for a new one
	resourceVersion string
}

// Chart is what a revision was rendered from.
type Chart struct {
	Name, Version, AppVersion, Description string
	// Files are the chart's own, by path. After reading, none are set: what
	// Helm stores of a chart is kept as it is, for Helm.
	Files []File
}

// File is one file of a chart.
type File struct {
	Name string
	Data []byte
}

// Hook is a hook of the revision, and how its last run went.
type Hook struct {
	Name           string   `json:"name,omitempty"`
	Kind           string   `json:"kind,omitempty"`
	Path           string   `json:"path,omitempty"`
	Manifest       string   `json:"manifest,omitempty"`
	Events         []string `json:"events,omitempty"`
	LastRun        HookRun  `json:"last_run"`
	Weight         int      `json:"weight,omitempty"`
	DeletePolicies []string `json:"delete_policies,omitempty"`
}

// HookRun is one run of a hook. Phase is Running, Succeeded, Failed or empty.
type HookRun struct {
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	Phase       string    `json:"phase"`
}

// Meta is what can be told of a revision without its body.
type Meta struct {
	Name, Namespace string
	Revision        int
	Status          Status
	// The rest is known only if Annotated: the engine wrote the revision, and
	// no other writer has touched it since.
	Annotated                                      bool
	Cause, Description, Chart, Version, AppVersion string
	LastDeployed                                   time.Time
}

// Meta of the record.
func (r *Record) Meta() Meta {
	return Meta{
		Name: r.Name, Namespace: r.Namespace, Revision: r.Revision, Status: r.Status, Annotated: true,
		Cause: r.Cause, Description: r.Description, Chart: r.Chart.Name, Version: r.Chart.Version, AppVersion: r.Chart.AppVersion,
		LastDeployed: r.LastDeployed,
	}
}

// Again is a new record, of another revision, of what r holds: its chart,
// values, manifest, hooks and notes. Its status and times are not set.
func (r *Record) Again(revision int) *Record {
	again := *r
	again.Revision, again.Status, again.resourceVersion = revision, "", ""
	again.FirstDeployed, again.LastDeployed, again.Deleted = time.Time{}, time.Time{}, time.Time{}
	again.Description, again.Cause = "", ""
	again.Hooks = slices.Clone(r.Hooks)
	for i := range again.Hooks {
		again.Hooks[i].LastRun = HookRun{}
	}
	return &again
}
