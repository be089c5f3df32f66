package render

import (
	"encoding/json"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// HookEvent says when a hook runs.
type HookEvent string

// The events, by Helm's names. Helm 2's test-success is [HookTest]; a hook with
// an event that Helm 3 does not know, such as Helm 2's crd-install, is left out
// of the manifest, as Helm does it.
const (
	HookPreInstall   HookEvent = "pre-install"
	HookPostInstall  HookEvent = "post-install"
	HookPreUpgrade   HookEvent = "pre-upgrade"
	HookPostUpgrade  HookEvent = "post-upgrade"
	HookPreDelete    HookEvent = "pre-delete"
	HookPostDelete   HookEvent = "post-delete"
	HookPreRollback  HookEvent = "pre-rollback"
	HookPostRollback HookEvent = "post-rollback"
	HookTest         HookEvent = "test"
)

// HookDeletePolicy says when the object of a hook is deleted.
type HookDeletePolicy string

// The delete policies, by Helm's names.
const (
	HookBeforeHookCreation HookDeletePolicy = "before-hook-creation"
	HookSucceeded          HookDeletePolicy = "hook-succeeded"
	HookFailed             HookDeletePolicy = "hook-failed"
)

// HookOutputLogPolicy says after which outcome the logs of a hook are wanted.
type HookOutputLogPolicy string

// The log policies, by Helm's names.
const (
	HookOutputOnSucceeded HookOutputLogPolicy = "hook-succeeded"
	HookOutputOnFailed    HookOutputLogPolicy = "hook-failed"
)

// The annotations that make an object a hook.
const (
	HookAnnotation          = "helm.sh/hook"
	HookWeightAnnotation    = "helm.sh/hook-weight"
	HookDeleteAnnotation    = "helm.sh/hook-delete-policy"
	HookOutputLogAnnotation = "helm.sh/hook-output-log-policy"
)

// Hook is an object that runs at an event instead of being part of the release.
type Hook struct {
	Object
	// Events at which it runs. Never empty.
	Events []HookEvent
	// Weight orders the hooks of an event, lower first. Default 0, also where
	// the annotation is no number.
	Weight int
	// DeletePolicies are never empty: where the chart names none, it is
	// [HookBeforeHookCreation].
	DeletePolicies []HookDeletePolicy
	// OutputLogPolicies may be empty: no logs.
	OutputLogPolicies []HookOutputLogPolicy
}

// On says whether the hook runs at the event.
func (h Hook) On(event HookEvent) bool {
	for _, e := range h.Events {
		if e == event {
			return true
		}
	}
	return false
}

// Deletes says whether the hook has the delete policy.
func (h Hook) Deletes(policy HookDeletePolicy) bool {
	for _, p := range h.DeletePolicies {
		if p == policy {
			return true
		}
	}
	return false
}

type hookJSON struct {
	Object            Object                `json:"object"`
	Events            []HookEvent           `json:"events"`
	Weight            int                   `json:"weight,omitempty"`
	DeletePolicies    []HookDeletePolicy    `json:"deletePolicies,omitempty"`
	OutputLogPolicies []HookOutputLogPolicy `json:"outputLogPolicies,omitempty"`
}

// MarshalJSON writes the hook with its object.
func (h Hook) MarshalJSON() ([]byte, error) {
	return json.Marshal(hookJSON{h.Object, h.Events, h.Weight, h.DeletePolicies, h.OutputLogPolicies})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (h *Hook) UnmarshalJSON(data []byte) error {
	var j hookJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	if j.Object.Text != "" { // a hook is parsed as it stands
		content, err := parseObject(yamlread.Decoder{}, j.Object.Text)
		if err != nil {
			e := yamlError(err)
			e.Op, e.File = "parse", j.Object.Source
			return e
		}
		dropNulls(content)
		j.Object.Unstructured.Object = content
	}
	*h = Hook{j.Object, j.Events, j.Weight, j.DeletePolicies, j.OutputLogPolicies}
	return nil
}
