package storage

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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

// Pending reports whether the revision has no outcome yet.
func (s Status) Pending() bool {
	return s == StatusPendingInstall || s == StatusPendingUpgrade || s == StatusPendingRollback
}

// Unfinished reports whether the revision has no outcome yet, that of an uninstall
// included.
func (s Status) Unfinished() bool { return s.Pending() || s == StatusUninstalling }

// Record is one revision, whole.
type Record struct {
	Name, Namespace string
	Revision        int
	Status          Status
	Description     string // without the cause
	Cause           string
	// Unproven: it is deployed, and was not waited for.
	Unproven bool
	// ApplySet: its objects are labelled as members of an apply set.
	ApplySet bool
	// AppliedPlan identifies the reviewed plan that recorded the revision; empty:
	// none did.
	AppliedPlan string
	// Progress is how far the engine has got with the revision, in its own words.
	Progress string
	// Mark is written while the revision has no outcome. Nil, as it was read: it
	// has one, or was recorded by a program that writes no marks.
	Mark *Mark

	FirstDeployed, LastDeployed, Deleted time.Time

	Chart    Chart
	Values   map[string]any // as the user gave them
	Manifest Text           // YAML documents, each after "---\n# Source: …"
	Hooks    []Hook
	Notes    string
	Labels   map[string]string // the user's, on the Secret
	// Owner is that of the release's objects; nil: none. Owned: the record has it
	// too.
	Owner *metav1.OwnerReference
	Owned bool
	// Seed is what random functions of the templates drew from; nil: not known,
	// as of what Helm recorded. A secret.
	Seed []byte

	// ApplyMethod is how Helm 4 goes on from here, in its own words: "csa" for
	// what the engine wrote, "ssa" or "csa" for what Helm 4 recorded, or empty
	// for what Helm 3 did. "ssa" becomes "csa" when the engine writes it.
	ApplyMethod string
	// Recorder is the field manager of the program that recorded the revision;
	// empty if that was the engine, or if that is not known.
	Recorder string

	raw       map[string]json.RawMessage // the JSON as it was read, without the manifest; nil for a new one
	secret    *corev1.Secret             // as it was read or written, without its body; nil for a new one
	attempt   string                     // distinguishes this record's Create from a rival's
	lasting   *lasting                   // as it was read or written; nil: to be compressed
	continued continuation               // as it was read or written; zero: in one Secret
	held      *Held                      // by this process; nil: it is not
}

// Chart is what a revision was rendered from.
type Chart struct {
	Name, Version, AppVersion, Description string
	// Files are the chart's own, by path. Without a Chart.yaml among them a
	// chart in name only is stored. After reading, none are set: what is stored
	// of a chart is kept as it is, for Helm.
	Files []File
	// Values are stored in place of those of the files; nil: those of the files.
	Values map[string]any
}

// File is one file of a chart.
type File struct {
	Name string
	Data []byte
}

// Hook is a hook of the revision, and how its last run went.
type Hook struct {
	Name, Kind        string
	Path              string // of the template
	Manifest          string
	Events            []string // pre-install, post-upgrade, test, …
	Weight            int
	DeletePolicies    []string // before-hook-creation, hook-succeeded, hook-failed
	OutputLogPolicies []string // hook-succeeded, hook-failed
	LastRun           HookRun

	raw map[string]json.RawMessage // the JSON as it was read; nil for a new one
}

// HookRun is one run of a hook. Phase is Running, Succeeded, Failed, Unknown or
// empty.
type HookRun struct {
	StartedAt, CompletedAt time.Time
	Phase                  string
}

// Meta is what is known of a revision without its body.
type Meta struct {
	Name, Namespace string
	Revision        int
	Status          Status
	UID             types.UID // of the Secret
	// Written is when the Secret was written last, to the second; zero if its
	// labels do not say.
	Written time.Time
	Labels  map[string]string // the user's
	// Unproven and AppliedPlan as in Record, if the writer said so.
	Unproven    bool
	AppliedPlan string
	// The rest is known only if Annotated: the engine wrote the revision, and
	// no other writer has touched it since.
	Annotated bool
	// Cause and Description are cut at 4 KiB each.
	Cause, Description         string
	Chart, Version, AppVersion string
	LastDeployed               time.Time
}

// Meta of the record.
func (r *Record) Meta() Meta {
	m := Meta{
		Name: r.Name, Namespace: r.Namespace, Revision: r.Revision, Status: r.Status, Unproven: r.Unproven, AppliedPlan: r.AppliedPlan, Annotated: true,
		Cause: r.Cause, Description: r.Description, Chart: r.Chart.Name, Version: r.Chart.Version, AppVersion: r.Chart.AppVersion,
		LastDeployed: r.LastDeployed, Labels: r.Labels,
	}
	if r.secret != nil {
		m.UID, m.Written = r.secret.UID, written(r.secret.Labels)
	}
	return m
}

// Key returns bytes that can be guessed by no one, and that only those can read
// who may read the revision's Secret: random ones that were recorded with it,
// and the UID of the Secret, which is all there is if Helm recorded the
// revision. Nil for a record that is not stored, or in a ConfigMap.
func (r *Record) Key() []byte {
	if r.secret == nil || r.secret.Type == "" {
		return nil
	}
	return append([]byte(r.secret.UID+"\n"), r.secret.Data[randomKey]...)
}

// Created is when the API server stored the revision first, by its clock and
// to the second; zero for a record that is not stored.
func (r *Record) Created() time.Time {
	if r.secret == nil {
		return time.Time{}
	}
	return r.secret.CreationTimestamp.Time
}

// Definitions are the files of the stored chart's crds/ folder, by path. There
// are none where the chart was stored without its files.
func (r *Record) Definitions() ([]File, error) {
	var chart document
	if err := (document(r.raw)).get(memberChart, &chart); err != nil {
		return nil, about(r, err)
	}
	var files []storedFile
	if err := chart.get(chartFiles, &files); err != nil {
		return nil, about(r, err)
	}
	var out []File
	for _, f := range files {
		if strings.HasPrefix(f.Name, "crds/") {
			out = append(out, File(f))
		}
	}
	return out, nil
}

// Again is a new record, of another revision, of what r holds: its chart,
// values, manifest, hooks, notes and labels. Its status, times, description
// and cause are not set, and its hooks have not run.
func (r *Record) Again(revision int) *Record {
	again := *r
	again.Revision, again.Status = revision, ""
	again.FirstDeployed, again.LastDeployed, again.Deleted = time.Time{}, time.Time{}, time.Time{}
	again.Unproven, again.ApplySet, again.AppliedPlan, again.Progress = false, false, "", ""
	again.Mark, again.held = nil, nil
	again.Description, again.Cause, again.ApplyMethod = "", "", applyClientSide
	again.Recorder = ""
	again.secret, again.attempt, again.lasting, again.continued = nil, "", nil, continuation{}
	again.raw = maps.Clone(r.raw)
	delete(again.raw, memberInfo) // what it says beside the above is of r's own course
	again.Hooks = slices.Clone(r.Hooks)
	for i := range again.Hooks {
		again.Hooks[i].LastRun = HookRun{}
	}
	return &again
}
