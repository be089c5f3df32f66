package engine

import (
	"crypto"
	"log/slog"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/internal/lock"
	"github.com/fairlead-dev/fairlead/internal/signature"
)

// DefaultFieldManager is the name under which the engine owns fields in
// metadata.managedFields.
const DefaultFieldManager = "fairlead"

// DefaultConcurrency is the number of requests that one call has in flight at
// most.
const DefaultConcurrency = 16

// minPlanKey is the least size of Options.PlanKey.
const minPlanKey = 32

// maxFieldManager is the API server's bound on the name of a field manager.
const maxFieldManager = 128

// Options are the settings of an [Engine]. The zero value is safe.
type Options struct {
	// FieldManager owns the fields that the engine applies. Empty:
	// DefaultFieldManager. If you change it while releases exist, add the
	// former name to FormerManagers, or its fields will conflict.
	FieldManager string
	// FormerManagers are field managers whose fields count as the release's
	// own and are taken over without a conflict, by their names or patterns with
	// * and ?. Nil: HelmManagers. Empty and not nil: none. Programs that embed
	// Helm write under their own names and need not be listed: the manager that
	// wrote the release's annotations into an object is recognized by that.
	//
	// Of an object that is adopted, all fields of the listed managers become
	// the release's own, so that those the manifest does not have are removed;
	// where kubectl's annotation last-applied-configuration says what was
	// applied, only that, and what they applied by server-side apply. See
	// FluxManagers, ArgoCDManagers, TerraformManagers and KubectlManagers.
	FormerManagers []string
	// Ownership resolves conflicts with other field managers, field by field;
	// the first rule that matches applies. Without a rule a conflict is a
	// problem of the plan. spec.replicas of a workload that an autoscaler
	// targets is left to the autoscaler without any rule.
	Ownership []Ownership
	// Replace decides what happens to objects with a changed field that the
	// API server does not let change; the first rule that matches applies,
	// then the object's annotation AnnotationReplace. Without either it is a
	// problem of the plan.
	Replace []Replace
	// CRDs decides what happens to CustomResourceDefinitions that exist.
	// Empty: CRDsCompatible.
	CRDs CRDPolicy
	// FieldValidation decides about fields of an object that the schema of its
	// kind does not have, and about items that a list has twice. Empty:
	// FieldValidationStrict.
	FieldValidation FieldValidation
	// ApplySet makes each release an ApplySet (KEP-3659) that other tools can
	// see: it adds a label to each object of the manifest, and one more object,
	// the ConfigMap fairlead-NAME, as the set's parent. Changing it changes
	// every release at its next deploy or rollback. False: no ApplySet, as with
	// Helm. See docs/applyset.md.
	ApplySet bool
	// OnEvent receives the progress of all calls on this Engine; every event
	// names its release. It is called serially, in order, from a goroutine of
	// the engine. It never blocks the work: events queue while it runs, and a
	// queued Waiting is replaced by the next one of its object; nothing else is
	// dropped. All events of a call are delivered before the call returns,
	// unless that takes more than 5 s; the rest then follows later. OnEvent
	// must not call the Engine and wait for it. Nil: no events. See also
	// [LogEvents] and [Observers].
	OnEvent func(Event)
	// Rules decide whether objects are ready, by kind, in place of the built-in
	// rules; of two for one kind the later applies. They apply to hooks too,
	// except to Pods, which must complete. See [ReadyRule].
	Rules []ReadyRule
	// Allow is an allow-list: it returns why a release may not read and write
	// an object, whatever permissions the engine has, or nil if it may. An
	// object that it blocks is a problem of the plan, with the error's text, and
	// is not read; it applies to hooks, lookups and a namespace to be created as
	// well, and a plan names no object outside of the release that it blocks.
	// It must be fast, depend on its argument alone, and be safe for concurrent
	// use. Nil: everything is allowed. See [OwnNamespace], and package
	// engine/allow for more rules.
	Allow func(Access) error
	// As is the user to impersonate, with that user's permissions in place of
	// the engine's. Groups, UID and Extra need UserName. Zero: no
	// impersonation beyond that of the rest.Config. See also [Engine.As].
	As rest.ImpersonationConfig
	// Lookup reports whether the template function lookup may read objects of
	// a kind, with the engine's permissions. namespace and name may be empty
	// (all). If it may not, lookup returns an empty result, as in helm
	// template. Nil: only objects in the release's own namespace, Secrets
	// included.
	Lookup func(key Key, gvk schema.GroupVersionKind, namespace, name string) bool
	// PlanKey is the key of the digests in stored plans: of what a plan hides,
	// by which applying finds out whether it is still the same. Where plans are
	// made and where they are applied it must be the same; at least 32 random
	// bytes, known to no reader of plans. Nil: the key is in the Secret of the
	// release's newest revision; a first install has none, see docs/plans.md.
	PlanKey []byte
	// PlanSigners are public keys: only plans that one of them has signed
	// ([Plan.Sign]) are applied, and Deploy, Rollback, Rollout and Uninstall,
	// which plan and apply in one, are refused; what ApplyOptions.OnFailure does
	// is part of applying. Accepted are ed25519.PublicKey,
	// *ecdsa.PublicKey (P-256, P-384, P-521) and *rsa.PublicKey (2048 bits).
	// Nil: plans need no signature.
	PlanSigners []crypto.PublicKey
	// Storage decides where revisions are kept. Zero: in Secrets of the release's
	// namespace.
	Storage Storage
	// LeaseDuration is how long an operation whose process no longer renews its
	// mark in the revision counts as in progress; it is renewed three times as
	// often. Rounded to seconds. 0: DefaultLeaseDuration. Negative, or more than 2
	// minutes: an error; a mark of another client that claims more counts no longer.
	LeaseDuration time.Duration
	// Concurrency bounds the requests in flight of one call. 0:
	// DefaultConcurrency. Negative: an error.
	Concurrency int
	// CacheDir is a directory in which discovery and the schemas of the API server are
	// kept for later processes of this user, such as a folder of os.UserCacheDir; any
	// number of clusters and processes may share it. What is kept is used only after
	// the API server has confirmed by its hash that it still holds. A directory that
	// cannot be written to, or that another user may write to, is not used, which
	// Logger receives. Empty: nothing is written to disk.
	CacheDir string
	// Cache remembers the results of Reconcile, ReconcileCorrection, Drift and Status
	// for releases that are as wanted, up to 64 MiB, while a Watch of this engine, or
	// of one that it was made from by With or As, is running: as long as the watch shows that
	// nothing they were computed from has changed, the next call returns the same
	// without a request. What the engine has written itself counts as changed until
	// the watch has seen it; what others write is seen as soon as the watch shows it,
	// as with all caches over watches. It is for release and options that are equal,
	// with a *render.Chart that is equal, or the same *render.Kustomization or
	// *render.Manifests. See docs/controllers.md. False: each call reads.
	Cache bool
	// Logger receives diagnostics that need no action. Nil: discarded.
	Logger *slog.Logger
}

// withDefaults returns the options with defaults for what is not set. Its
// slices are copies, so that the caller may change theirs.
func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.FieldManager == "" {
		o.FieldManager = DefaultFieldManager
	}
	if o.FormerManagers == nil {
		o.FormerManagers = HelmManagers()
	}
	if o.LeaseDuration == 0 {
		o.LeaseDuration = DefaultLeaseDuration
	}
	o.LeaseDuration = max(time.Second, o.LeaseDuration.Round(time.Second))
	if o.Concurrency == 0 {
		o.Concurrency = DefaultConcurrency
	}
	o.PlanKey, o.PlanSigners = slices.Clone(o.PlanKey), slices.Clone(o.PlanSigners)
	o.FormerManagers, o.Ownership, o.Replace = slices.Clone(o.FormerManagers), slices.Clone(o.Ownership), slices.Clone(o.Replace)
	o.Rules, o.As = slices.Clone(o.Rules), copyImpersonation(o.As)
	return o
}

// validate returns an error that wraps ErrInvalidOptions and names the first
// field with a value that is not accepted, and the values that are.
func (o Options) validate() error {
	if err := validManager("Options.FieldManager", o.FieldManager); err != nil {
		return err
	}
	for i, name := range o.FormerManagers {
		field := indexed("Options.FormerManagers", i)
		if name == "" {
			return invalid(field, "must not be empty")
		}
		if err := validManager(field, name); err != nil {
			return err
		}
		if err := validPattern(field, name); err != nil {
			return err
		}
	}
	for i, r := range o.Ownership {
		if err := r.validate(indexed("Options.Ownership", i)); err != nil {
			return err
		}
	}
	for i, r := range o.Replace {
		if err := r.validate(indexed("Options.Replace", i)); err != nil {
			return err
		}
	}
	if err := oneOf("Options.CRDs", o.CRDs, CRDsCompatible, CRDsCreate, CRDsUnsafeAll, CRDsSkip); err != nil {
		return err
	}
	if err := oneOf("Options.FieldValidation", o.FieldValidation, FieldValidationStrict, FieldValidationWarn); err != nil {
		return err
	}
	if err := o.Storage.validate(); err != nil {
		return err
	}
	if err := o.validateAs("Options.As"); err != nil {
		return err
	}
	if n := len(o.PlanKey); o.PlanKey != nil && n < minPlanKey {
		return invalid("Options.PlanKey", "has %d bytes; accepted are %d and more, and nil", n, minPlanKey)
	}
	if o.PlanSigners != nil && len(o.PlanSigners) == 0 {
		return invalid("Options.PlanSigners", "is empty and not nil; accepted is nil, which needs no signature, or a key")
	}
	for i, key := range o.PlanSigners {
		if err := signature.Accepts(key); err != nil {
			return invalid(indexed("Options.PlanSigners", i), "is not accepted: %v", err)
		}
	}
	if o.LeaseDuration < 0 || o.LeaseDuration > lock.Longest {
		return invalid("Options.LeaseDuration", "is %v; accepted are durations from 1s to %v, and 0 (%v)", o.LeaseDuration, lock.Longest, DefaultLeaseDuration)
	}
	if o.Concurrency < 0 {
		return invalid("Options.Concurrency", "is %d; accepted are 1 and more, and 0 (%d)", o.Concurrency, DefaultConcurrency)
	}
	return nil
}

// validateAs refuses what looks like a user to impersonate and is none, since
// the engine would act with its own permissions.
func (o Options) validateAs(field string) error {
	if !o.impersonates() && (o.As.UID != "" || o.As.Groups != nil || o.As.Extra != nil) {
		return invalid(field, "UserName is empty although UID, Groups or Extra is set; Kubernetes impersonates a user")
	}
	return nil
}

func (o Options) impersonates() bool { return o.As.UserName != "" }

func (o Ownership) validate(field string) error {
	if err := oneOf(field+".Settle", o.Settle, Fail, Take, Yield); err != nil {
		return err
	}
	if err := validKind(field+".Kind", o.Kind); err != nil {
		return err
	}
	if err := validPattern(field+".Manager", o.Manager); err != nil {
		return err
	}
	if _, _, err := diff.Lookup(nil, o.Path); err != nil {
		return invalid(field+".Path", "is %q; accepted is a path in the notation of diff.Field: %v", o.Path, err)
	}
	return nil
}

func (r Replace) validate(field string) error {
	accepted := []ReplacePolicy{ReplaceDefault}
	for _, p := range replacePolicies {
		accepted = append(accepted, p.policy)
	}
	if err := oneOf(field+".Policy", r.Policy, accepted...); err != nil {
		return err
	}
	if err := validKind(field+".Kind", r.Kind); err != nil {
		return err
	}
	return validPattern(field+".Name", r.Name)
}

// validManager reports a name that the API server refuses for a field manager.
func validManager(field, name string) error {
	if len(name) > maxFieldManager {
		return invalid(field, "has %d bytes; accepted are at most %d", len(name), maxFieldManager)
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return invalid(field, "is %q; accepted are printable characters", name)
	}
	return nil
}

func validPattern(field, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return invalid(field, "is %q; accepted is a pattern with *, ? and [a-z]: %v", pattern, err)
	}
	return nil
}

// validKind reports what cannot match any kind: a resource such as
// "deployments", or an apiVersion.
func validKind(field, kind string) error {
	if kind == "" || kind[0] >= 'A' && kind[0] <= 'Z' && !strings.ContainsAny(kind, "/ ") {
		return nil
	}
	return invalid(field, `is %q; accepted is a kind such as "Deployment" or "Deployment.apps", and "" (all kinds)`, kind)
}
