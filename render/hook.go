package render

// Hook is an object that is applied at an event in a release's life, and is not a part of the release.
type Hook struct {
	Object
	Events            []HookEvent
	Weight            int                   // hooks of one event run by weight, then in install order, then by name
	DeletePolicies    []HookDeletePolicy    // never empty: before-hook-creation where nothing is said
	OutputLogPolicies []HookOutputLogPolicy // when to show the logs of its pods
}

// HookEvent is when a hook runs.
type HookEvent string

// The events of a release's life.
const (
	HookPreInstall   HookEvent = "pre-install"
	HookPostInstall  HookEvent = "post-install"
	HookPreUpgrade   HookEvent = "pre-upgrade"
	HookPostUpgrade  HookEvent = "post-upgrade"
	HookPreDelete    HookEvent = "pre-delete"
	HookPostDelete   HookEvent = "post-delete"
	HookPreRollback  HookEvent = "pre-rollback"
	HookPostRollback HookEvent = "post-rollback"
	HookTest         HookEvent = "test" // test-success, the older name, means the same
)

// HookDeletePolicy is when a hook's object is deleted.
type HookDeletePolicy string

// The policies of deletion.
const (
	HookBeforeCreation HookDeletePolicy = "before-hook-creation"
	HookSucceeded      HookDeletePolicy = "hook-succeeded"
	HookFailed         HookDeletePolicy = "hook-failed"
)

// HookOutputLogPolicy is when the logs of a hook's pods are shown.
type HookOutputLogPolicy string

// The policies of showing logs.
const (
	HookLogOnSucceeded HookOutputLogPolicy = "hook-succeeded"
	HookLogOnFailed    HookOutputLogPolicy = "hook-failed"
)
