package engine

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// New refuses what is not accepted, names the field, and lists what is.
func TestNewRefusesInvalidOptions(t *testing.T) {
	for name, c := range map[string]struct {
		opts Options
		want []string
	}{
		"CRDs": {Options{CRDs: "All"}, []string{"Options.CRDs", `"All"`, `"" (the default)`, `"Create"`, `"UnsafeAll"`, `"Skip"`}},
		"Settle": {
			Options{Ownership: []Ownership{{Settle: Take}, {Settle: "take"}}},
			[]string{"Options.Ownership[1].Settle", `"take"`, `"" (the default)`, `"Take"`, `"Yield"`},
		},
		"Ownership.Manager":        {Options{Ownership: []Ownership{{Manager: "argo[", Settle: Yield}}}, []string{"Options.Ownership[0].Manager", `"argo["`, "pattern"}},
		"Ownership.Kind":           {Options{Ownership: []Ownership{{Kind: "deployments"}}}, []string{"Options.Ownership[0].Kind", `"deployments"`, `"Deployment.apps"`}},
		"Ownership.Path":           {Options{Ownership: []Ownership{{Path: ".spec.replicas"}}}, []string{"Options.Ownership[0].Path", `".spec.replicas"`, "diff.Field"}},
		"Ownership.Path, unclosed": {Options{Ownership: []Ownership{{Path: `spec.containers[name="web"`}}}, []string{"Options.Ownership[0].Path", "diff.Field"}},
		"Replace.Policy": {
			Options{Replace: []Replace{{Kind: "Job", Policy: "recreate"}}},
			[]string{"Options.Replace[0].Policy", `"recreate"`, `"" (the default)`, `"Never"`, `"Recreate"`, `"Orphan"`},
		},
		"Replace.Name":         {Options{Replace: []Replace{{Kind: "Job", Name: "[a", Policy: ReplaceRecreate}}}, []string{"Options.Replace[0].Name", `"[a"`, "pattern"}},
		"Replace.Name, late":   {Options{Replace: []Replace{{Kind: "Job", Name: "migrate-[", Policy: ReplaceRecreate}}}, []string{"Options.Replace[0].Name"}},
		"Replace.Kind":         {Options{Replace: []Replace{{Kind: "batch/v1 Job", Policy: ReplaceRecreate}}}, []string{"Options.Replace[0].Kind", `"batch/v1 Job"`}},
		"FieldManager":         {Options{FieldManager: strings.Repeat("x", 129)}, []string{"Options.FieldManager", "129", "128"}},
		"FieldManager, a line": {Options{FieldManager: "a\nb"}, []string{"Options.FieldManager", "printable"}},
		"FormerManagers":       {Options{FormerManagers: []string{"helm", ""}}, []string{"Options.FormerManagers[1]", "empty"}},
		"As":                   {Options{As: rest.ImpersonationConfig{Groups: []string{"tenants"}}}, []string{"Options.As", "UserName"}},
		"As, extra":            {Options{As: rest.ImpersonationConfig{Extra: map[string][]string{"a": {"b"}}}}, []string{"Options.As", "UserName"}},
		"LeaseDuration, long":  {Options{LeaseDuration: time.Hour}, []string{"Options.LeaseDuration", "1h0m0s", "2m0s"}},
		"LeaseDuration":        {Options{LeaseDuration: -time.Second}, []string{"Options.LeaseDuration", "-1s", "15s"}},
		"Concurrency":          {Options{Concurrency: -1}, []string{"Options.Concurrency", "-1", "16"}},
		"Rules":                {Options{Rules: []ReadyRule{{Kind: "Report"}}}, []string{"Options.Rules[0]", "Report", "Ready", "Judge"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, c.opts)
			wantInvalid(t, err, c.want)
		})
	}
}

func TestNewAcceptsEveryConstant(t *testing.T) {
	opts := Options{
		FieldManager: "a", FormerManagers: []string{}, As: rest.ImpersonationConfig{UserName: "u", Groups: []string{"g"}},
		LeaseDuration: time.Millisecond, Concurrency: 1,
	}
	for _, s := range []Settle{Fail, Take, Yield} {
		opts.Ownership = append(opts.Ownership, Ownership{Manager: "argo*", Kind: "Deployment.apps", Path: `spec.template.spec.containers[name="web"].image`, Settle: s})
	}
	for _, p := range []ReplacePolicy{ReplaceDefault, ReplaceNever, ReplaceRecreate, ReplaceOrphan} {
		opts.Replace = append(opts.Replace, Replace{Kind: "Job", Name: "migrate-[0-9]*", Policy: p})
	}
	for _, p := range []CRDPolicy{CRDsCompatible, CRDsCreate, CRDsUnsafeAll, CRDsSkip} {
		opts.CRDs = p
		e, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, opts)
		if err != nil {
			t.Fatal(err)
		}
		if e.opts.LeaseDuration != time.Second || e.opts.FormerManagers == nil {
			t.Errorf("%+v", e.opts)
		}
	}
}

// What the caller changes afterwards does not change the engine.
func TestOptionsAreCopied(t *testing.T) {
	opts := Options{FormerManagers: []string{"helm"}, Ownership: []Ownership{{Settle: Yield}}, Replace: []Replace{{Kind: "Job"}}}
	e, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, opts)
	if err != nil {
		t.Fatal(err)
	}
	opts.FormerManagers[0], opts.Ownership[0].Settle, opts.Replace[0].Policy = "other", Take, ReplaceRecreate
	if e.opts.FormerManagers[0] != "helm" || e.opts.Ownership[0].Settle != Yield || e.opts.Replace[0].Policy != ReplaceDefault {
		t.Errorf("%+v", e.opts)
	}
}

func TestCallsRefuseInvalidOptions(t *testing.T) {
	k := Key{"shop", "web"}
	apply := func(o ApplyOptions) func(Operation) error {
		return func(op Operation) error { return o.validate(string(op), k) }
	}
	all := []Operation{OperationDeploy, OperationApply, OperationRollback, OperationRollout, OperationUninstall}
	for name, c := range map[string]struct {
		check func(Operation) error
		ops   []Operation // that refuse it; the others accept it
		want  []string
	}{
		"zero":                   {apply(ApplyOptions{}), nil, nil},
		"History, all":           {apply(ApplyOptions{History: -1}), nil, nil},
		"bounds":                 {apply(ApplyOptions{Timeout: time.Hour, LockTimeout: time.Hour, NoHooks: true, NoWait: true, Foreground: true, Supersede: true}), nil, nil},
		"OnFailure, unknown":     {apply(ApplyOptions{OnFailure: "Rollback"}), all, []string{"ApplyOptions.OnFailure", `"Rollback"`, `"" (the default)`, `"RollBack"`, `"RollBackOrUninstall"`}},
		"OnFailure":              {apply(ApplyOptions{OnFailure: RollBack}), []Operation{OperationRollback, OperationRollout, OperationUninstall}, []string{"ApplyOptions.OnFailure", "Deploy, and Apply"}},
		"KeepHistory":            {apply(ApplyOptions{KeepHistory: true}), []Operation{OperationDeploy, OperationRollback, OperationRollout}, []string{"ApplyOptions.KeepHistory", "Uninstall, and Apply"}},
		"Release":                {apply(ApplyOptions{Release: &Release{}}), []Operation{OperationDeploy, OperationRollback, OperationRollout, OperationUninstall}, []string{"ApplyOptions.Release", "Apply only"}},
		"Timeout":                {apply(ApplyOptions{Timeout: -1}), all, []string{"ApplyOptions.Timeout", "-1ns"}},
		"LockTimeout":            {apply(ApplyOptions{LockTimeout: -time.Second}), all, []string{"ApplyOptions.LockTimeout", "-1s"}},
		"CrashRestarts":          {apply(ApplyOptions{FailurePolicy: FailurePolicy{CrashRestarts: -1}}), all, []string{"ApplyOptions.FailurePolicy.CrashRestarts", "-1", "3"}},
		"FailurePolicy, forever": {apply(ApplyOptions{FailurePolicy: FailurePolicy{CrashLoop: -1, Claim: -1}}), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			for _, op := range all {
				err := c.check(op)
				if !slices.Contains(c.ops, op) {
					if err != nil {
						t.Errorf("%s: %v", op, err)
					}
					continue
				}
				wantInvalid(t, err, append([]string{string(op) + " shop/web"}, c.want...))
			}
		})
	}
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"DryRun":            {PlanOptions{DryRun: "Server"}.validate(k), []string{"PlanOptions.DryRun", `"Server"`, `"" (the default)`, `"All"`, `"None"`}},
		"test timeout":      {TestOptions{Timeout: -1}.validate(k), []string{"TestOptions.Timeout", "-1ns"}},
		"test lock timeout": {TestOptions{LockTimeout: -1}.validate(k), []string{"TestOptions.LockTimeout"}},
		"test policy":       {TestOptions{FailurePolicy: FailurePolicy{CrashRestarts: -3}}.validate(k), []string{"TestOptions.FailurePolicy.CrashRestarts"}},
		"status":            {ListOptions{Statuses: []RevisionStatus{StatusFailed, "pending"}}.validate(), []string{"ListOptions.Statuses[1]", `"pending"`, `"pending-install"`}},
		"verb":              {Rollout{Verb: "stop"}.validate(k), []string{"Rollout.Verb", `"stop"`, `"pause"`, `"resume"`, `"restart"`, `"undo"`, `"scale"`}},
		"no verb":           {Rollout{}.validate(k), []string{"Rollout.Verb", `""`}},
		"replicas":          {Rollout{Verb: Scale, Replicas: -1}.validate(k), []string{"Rollout.Replicas", "-1"}},
		"replicas, restart": {Rollout{Verb: Restart, Replicas: 2}.validate(k), []string{"Rollout.Replicas", "restart", "scale only"}},
		"revision":          {Rollout{Verb: Undo, Revision: -2}.validate(k), []string{"Rollout.Revision", "-2"}},
		"revision, pause":   {Rollout{Verb: Pause, Revision: 2}.validate(k), []string{"Rollout.Revision", "pause", "undo only"}},
	} {
		t.Run(name, func(t *testing.T) { wantInvalid(t, c.err, c.want) })
	}
	for _, err := range []error{
		PlanOptions{DryRun: DryRunAll}.validate(k), PlanOptions{DryRun: DryRunNone}.validate(k), PlanOptions{}.validate(k), TestOptions{LogLines: -1}.validate(k),
		ListOptions{Statuses: []RevisionStatus{StatusPendingRollback}}.validate(), Rollout{Verb: Scale}.validate(k), Rollout{Verb: Undo, Revision: 3}.validate(k),
	} {
		if err != nil {
			t.Error(err)
		}
	}
}

func wantInvalid(t *testing.T, err error, want []string) {
	t.Helper()
	var typed *Error
	if !errors.Is(err, ErrInvalidOptions) || !errors.As(err, &typed) {
		t.Fatalf("%T %v", err, err)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q is not in: %v", w, err)
		}
	}
}

// The causes of this package are those of the wait, one for one.
func TestCausesAreThoseOfTheWait(t *testing.T) {
	ours, theirs := stringConstants(t, ".", "Cause"), stringConstants(t, "../internal/readiness", "Cause")
	if len(ours) < 20 || !maps.Equal(ours, theirs) {
		t.Errorf("engine has %v,\nreadiness has %v", ours, theirs)
	}
}

// stringConstants returns the constants of a string type in a package's
// directory, by name.
func stringConstants(t *testing.T, dir, typ string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			id, ok := spec.Type.(*ast.Ident)
			value, literal := spec.Values[0].(*ast.BasicLit)
			if ok && literal && id.Name == typ {
				if out[spec.Names[0].Name], err = strconv.Unquote(value.Value); err != nil {
					t.Fatal(err)
				}
			}
			return true
		})
	}
	return out
}
