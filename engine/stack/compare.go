package stack

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/render"
)

// Comparison is what differs between two stacks, such as one in two environments.
// It is plain data.
type Comparison struct {
	From, To string
	// Members are those that differ, in the order of To, then those that only From
	// has.
	Members []MemberComparison
	// Same is how many members do not differ.
	Same int
}

// MemberComparison is what differs between two members of one name.
type MemberComparison struct {
	Member string
	// OnlyIn is the stack that has the member; empty: both have.
	OnlyIn string
	// FromChart and ToChart are "name-version".
	FromChart, ToChart string
	// ChartFiles: the files of the chart differ.
	ChartFiles bool
	// Values are those given to the releases that differ, by path. The defaults of
	// charts are not among them.
	Values []ValueChange
	// Objects are those that differ, hooks and CRDs included. The namespace of the
	// release is left out of them.
	Objects diff.Report
}

// ValueChange is a value that differs, and the layer that gives it. nil and no
// layer: it is not given. An input is the text of its Output, of layer "outputs".
type ValueChange struct {
	Path         string
	From, To     any
	FromBy, ToBy string // the layer, with the line where it is a file
}

// Compare renders two stacks without a cluster and reports what differs: the same
// platform in two environments, or before and after a change. Members are found
// again by their names. Templates see the default capabilities and look nothing up;
// what depends on outputs is unknown, and random functions draw the same in both.
// Values that one of the renders has in a Secret are hidden.
func Compare(ctx context.Context, from, to *Stack) (*Comparison, error) {
	out := &Comparison{From: from.name, To: to.name}
	for _, m := range to.members {
		c := MemberComparison{Member: m.Name, OnlyIn: to.name}
		if other := from.byName[m.Name]; other != nil {
			var err error
			if c, err = compareMembers(ctx, other, m); err != nil {
				return nil, &MemberError{Member: m.Name, Op: "compare", Err: err}
			}
			if c.same() {
				out.Same++
				continue
			}
		}
		out.Members = append(out.Members, c)
	}
	for _, m := range from.members {
		if to.byName[m.Name] == nil {
			out.Members = append(out.Members, MemberComparison{Member: m.Name, OnlyIn: from.name})
		}
	}
	return out, nil
}

func (c MemberComparison) same() bool {
	return !c.ChartFiles && c.FromChart == c.ToChart && len(c.Values) == 0 && len(c.Objects.Changes) == 0
}

func compareMembers(ctx context.Context, from, to *member) (MemberComparison, error) {
	a, err := from.offline(ctx)
	if err != nil {
		return MemberComparison{}, err
	}
	b, err := to.offline(ctx)
	if err != nil {
		return MemberComparison{}, err
	}
	out := MemberComparison{
		Member: to.Name, FromChart: a.chart(), ToChart: b.chart(),
		ChartFiles: a.first.Chart.Digest != b.first.Chart.Digest,
	}
	report, err := diff.Objects(a.objects(a.first), b.objects(b.first), diff.Options{})
	if err != nil {
		return out, err
	}
	for _, ch := range report.Changes {
		if ch.Changed() || ch.Action == diff.Kept {
			out.Objects.Changes = append(out.Objects.Changes, ch)
		}
	}
	out.Objects.Title, out.Objects.Warnings = to.Name, report.Warnings
	if err := a.hideUnknown(out.Objects.Changes, func(f *diff.Field) { f.Base, f.Live = unknownOf(f.Base), unknownOf(f.Live) }); err != nil {
		return out, err
	}
	if err := b.hideUnknown(out.Objects.Changes, func(f *diff.Field) { f.Desired = unknownOf(f.Desired) }); err != nil {
		return out, err
	}
	secrets := diff.NewRedactor(diff.RedactorOptions{}, append(a.objects(a.first), b.objects(b.first)...)...)
	out.Values = valueChanges(from, to, secrets)
	return out, nil
}

func unknownOf(v any) any {
	if v == nil {
		return nil
	}
	return diff.Unknown{}
}

// offline is a member rendered without a cluster, with two examples for what comes
// from other members.
type offline struct {
	*member
	first, second *render.Manifest
}

// Examples that are the same in every stack, so that what depends on outputs alone
// does not differ.
const (
	offlineFirst  = "later-0000000000"
	offlineSecond = "unknown-11111111111111"
)

func (m *member) offline(ctx context.Context) (offline, error) {
	first, second := map[string]any{}, map[string]any{}
	for _, path := range m.paths {
		names, _ := splitPath(path)
		a, b := any(offlineFirst), any(offlineSecond)
		if o := m.Inputs[path]; o.first != nil {
			a, b = o.first, o.second
		}
		put(first, names, a)
		put(second, names, b)
	}
	out := offline{member: m}
	var err error
	if out.first, err = m.render(ctx, first); err != nil || len(first) == 0 {
		out.second = out.first
		return out, err
	}
	out.second, err = m.render(ctx, second)
	return out, err
}

func (m *member) render(ctx context.Context, inputs map[string]any) (*render.Manifest, error) {
	r := m.Release
	values := r.Values
	if len(inputs) > 0 {
		var err error
		if values, err = over(values, inputs); err != nil {
			return nil, err
		}
	}
	at := time.Unix(0, 0).UTC()
	return r.Source.Render(ctx, render.Input{
		Name: r.Name, Namespace: r.Namespace, Values: values, Seed: render.NewSeed([]byte("compare without a cluster"), at), Now: at,
		PostRender: r.PostRender, PostRenderScope: r.PostRenderScope, Limits: r.Limits, Share: r.Share,
		Helm: r.Helm, Strict: r.Strict, SkipSchema: r.SkipSchema, SchemaLoader: r.SchemaLoader,
	})
}

func (o offline) chart() string {
	return strings.Trim(o.first.Chart.Name+"-"+o.first.Chart.Version, "-")
}

// objects are those of a render without the namespace of the release.
func (o offline) objects(m *render.Manifest) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, x := range append(m.CRDs[:len(m.CRDs):len(m.CRDs)], objectsOf(m)...) {
		u := x.Unstructured
		if u.GetNamespace() == o.key().Namespace {
			u = u.DeepCopy()
			u.SetNamespace("")
		}
		out = append(out, u)
	}
	return out
}

// hideUnknown calls hide for the fields that depend on outputs of other members.
func (o offline) hideUnknown(changes []diff.Change, hide func(*diff.Field)) error {
	if o.first == o.second {
		return nil
	}
	report, err := diff.Objects(o.objects(o.first), o.objects(o.second), diff.Options{})
	if err != nil {
		return err
	}
	unknown := map[diff.Object]diff.Change{}
	for _, ch := range report.Changes {
		unknown[ch.Object] = ch
	}
	for _, ch := range changes {
		for i := range ch.Fields {
			if _, _, touched, err := unknown[ch.Object].Planned(ch.Fields[i].Path); err == nil && touched {
				hide(&ch.Fields[i])
			}
		}
	}
	return nil
}

// valueChanges are the values of two members that differ.
func valueChanges(from, to *member, secrets *diff.Redactor) []ValueChange {
	a, b := from.leaves(), to.leaves()
	paths := slices.Sorted(maps.Keys(a))
	for path := range b {
		if _, ok := a[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	var out []ValueChange
	for _, path := range paths {
		was, is := a[path], b[path]
		if !reflect.DeepEqual(was.value, is.value) {
			out = append(out, ValueChange{Path: path, From: hideValue(secrets, was.value), To: hideValue(secrets, is.value), FromBy: was.layer, ToBy: is.layer})
		}
	}
	return out
}

// hideValue is a value with the texts and numbers that are secret hidden, at any depth.
func hideValue(secrets *diff.Redactor, v any) any {
	return mapScalars(v, func(v any) any {
		switch v := v.(type) {
		case nil, bool:
			return v
		case string:
			return secrets.String(v)
		}
		if text := textOf(v); secrets.Contains(text) { // a number
			return secrets.String(text)
		}
		return v
	})
}

type leaf struct {
	value any
	layer string
}

// leaves are the values that the release of a member is given, by path.
func (m *member) leaves() map[string]leaf {
	out := map[string]leaf{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if below, ok := v.(map[string]any); ok && len(below) > 0 {
			for name, e := range below {
				walk(joined(path, name), e)
			}
			return
		}
		origin, _ := m.Release.Values.Origin(path)
		layer := origin.Layer
		if origin.Line > 0 {
			layer = fmt.Sprintf("%s:%d", layer, origin.Line)
		}
		out[path] = leaf{v, layer}
	}
	for name, v := range m.Release.Values.Map() {
		walk(joined("", name), v)
	}
	for path, o := range m.Inputs {
		maps.DeleteFunc(out, func(p string, _ leaf) bool { return p == path || strings.HasPrefix(p, path+".") })
		out[path] = leaf{"output of " + o.String(), "outputs"}
	}
	return out
}

func joined(path, name string) string {
	name = strings.ReplaceAll(name, ".", `\.`)
	if path == "" {
		return name
	}
	return path + "." + name
}
