package stack_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine/stack"
)

// drawnVariable is the number of stacks that TestDrawnStacks draws.
const drawnVariable = "FAIRLEAD_STACKS"

// drawnMember is a member of a drawn stack: a Service and a ConfigMap, whose data
// come from outputs of others.
type drawnMember struct {
	name  string
	keys  []drawnKey
	needs []string
	// version is a value of its own, in the ConfigMap.
	version int
}

// drawnKey is an input, and the key of the ConfigMap that a template makes of it.
type drawnKey struct {
	name, template string
	output         stack.Output
	// roots are the members whose address it depends on.
	roots map[string]bool
}

// drawnTemplates make something of a value; two values never look the same.
var drawnTemplates = []string{
	"{{ .Values.%s | quote }}", "{{ .Values.%s | b64enc | quote }}", "{{ .Values.%s | sha256sum | quote }}",
	"{{ printf \"http://%%s/x\" .Values.%s | quote }}", "{{ .Values.%s | upper | quote }}", "{{ list \"a\" .Values.%s | join \",\" | quote }}",
	"{{ .Values.%s | toJson | quote }}", "{{ dict \"v\" .Values.%s | toYaml | quote }}",
}

// drawMember draws a member that may use those before it.
func drawMember(r *rand.Rand, i int, before []drawnMember) drawnMember {
	m := drawnMember{name: fmt.Sprintf("m%d", i), version: 1}
	for k := range r.IntN(4) {
		if len(before) == 0 {
			break
		}
		key := drawnKey{name: fmt.Sprintf("k%d", k), roots: map[string]bool{}}
		key.template = fmt.Sprintf(drawnTemplates[r.IntN(len(drawnTemplates))], key.name)
		key.output = drawOutput(r, before, key.roots)
		m.keys = append(m.keys, key)
	}
	if len(before) > 0 && r.IntN(3) == 0 {
		m.needs = append(m.needs, before[r.IntN(len(before))].name)
	}
	return m
}

func drawOutput(r *rand.Rand, before []drawnMember, roots map[string]bool) stack.Output {
	from := before[r.IntN(len(before))]
	add := func(k drawnKey) {
		for root := range k.roots {
			roots[root] = true
		}
	}
	kind := r.IntN(5)
	if kind > 0 && kind < 3 && len(from.keys) == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		key := from.keys[r.IntN(len(from.keys))]
		add(key)
		return stack.Value(from.name, key.name)
	case 2:
		key := from.keys[r.IntN(len(from.keys))]
		add(key)
		return stack.Field(from.name, diff.Object{Version: "v1", Kind: "ConfigMap", Name: from.name}, "data."+key.name)
	case 3: // what the chart itself says
		return stack.Field(from.name, diff.Object{Version: "v1", Kind: "ConfigMap", Name: from.name}, "data.own")
	case 4:
		a, b := drawOutput(r, before, roots), drawOutput(r, before, roots)
		return stack.Func(func(_ context.Context, v []any) (any, error) { return fmt.Sprintf("%v+%v", v[0], v[1]), nil }, a, b)
	}
	roots[from.name] = true
	return clusterIP(from.name)
}

func (m drawnMember) member(f *fixture) stack.Member {
	text := "  version: {{ .Values.version | quote }}\n  own: \"of " + m.name + "\"\n"
	inputs := stack.Inputs{}
	for _, k := range m.keys {
		text += "  " + k.name + ": " + k.template + "\n"
		inputs[k.name] = k.output
	}
	out := f.member(m.name, map[string]string{"service.yaml": service, "config.yaml": configMap(m.name, text)}, fmt.Sprintf("version=%d", m.version))
	out.Needs, out.Inputs = m.needs, inputs
	return out
}

// Drawn stacks are installed and changed. Every value that changed was shown, or
// shown as unknown, and what was shown as unknown is exactly what depends on an
// address that was not there.
func TestDrawnStacks(t *testing.T) {
	f := newFixture(t)
	f.ctx = t.Context() // many stacks take minutes
	n := 12
	if text := os.Getenv(drawnVariable); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	unknown, known := 0, 0
	for seed := range n {
		g := *f
		g.namespace = f.cluster.Namespace(t)
		u, k := g.drawnStack(uint64(seed))
		unknown, known = unknown+u, known+k
		if t.Failed() {
			return
		}
	}
	t.Logf("%d stacks: %d values were shown as unknown, %d with their value", n, unknown, known)
	if unknown == 0 || known == 0 {
		t.Error("the stacks show nothing")
	}
}

func (f *fixture) drawnStack(seed uint64) (unknown, known int) {
	r := rand.New(rand.NewPCG(seed, 7))
	var members []drawnMember
	for i := range 2 + r.IntN(6) {
		members = append(members, drawMember(r, i, members))
	}
	live := map[string]bool{}
	for round := range 3 {
		label := fmt.Sprintf("seed %d, round %d", seed, round)
		var all []stack.Member
		for _, m := range members {
			all = append(all, m.member(f))
		}
		r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		s := f.stack(all...)
		before := map[string]map[string]string{}
		for _, m := range members {
			before[m.name] = f.data(m.name)
		}
		plan := f.plan(s)
		if text := shown(f.T, plan)["json"]; drawn.MatchString(text) {
			f.Errorf("%s: an example is shown: %s", label, text)
		}
		if _, err := s.Apply(f.ctx, plan, stack.ApplyOptions{}); err != nil {
			f.Errorf("%s: %v\n%s", label, err, shown(f.T, plan)["text"])
			return
		}
		for _, m := range members {
			u, k := f.wantShown(label, plan, m, before[m.name], live)
			unknown, known = unknown+u, known+k
		}
		if again := f.plan(s); again.Changed() {
			f.Errorf("%s: it changes again:\n%s", label, shown(f.T, again)["text"])
		}
		for _, m := range members {
			live[m.name] = true
		}
		members[r.IntN(len(members))].version++
		if len(members) < 8 {
			members = append(members, drawMember(r, len(members), members))
		}
		// A member is changed in what it uses, too.
		if i := r.IntN(len(members)); i > 0 {
			members[i].keys = drawMember(r, i, members[:i]).keys
			members = withoutDangling(members, i)
		}
	}
	return unknown, known
}

// withoutDangling drops the keys of members after i that use keys of i or of those
// that are dropped, as these may be gone or mean something else.
func withoutDangling(members []drawnMember, i int) []drawnMember {
	for j := i + 1; j < len(members); j++ {
		members[j].keys = nil
	}
	return members
}

// wantShown fails unless each value of a ConfigMap that changed was shown as it is,
// or as unknown if and only if it depends on an address that was not live.
func (f *fixture) wantShown(label string, p *stack.Plan, m drawnMember, before map[string]string, live map[string]bool) (unknown, known int) {
	f.Helper()
	now := f.data(m.name)
	i := slices.IndexFunc(p.Members, func(x stack.MemberPlan) bool { return x.Member == m.name })
	fields := map[string]any{}
	for _, ch := range p.Members[i].Plan.Report.Changes {
		if ch.Object.Kind != "ConfigMap" || ch.Object.Name != m.name {
			continue
		}
		for _, field := range ch.Fields {
			if field.Path == "data" {
				data, _ := field.Desired.(map[string]any)
				for key, v := range data {
					fields[key] = v
				}
			} else if key, ok := strings.CutPrefix(field.Path, "data."); ok {
				fields[key] = field.Desired
			}
		}
	}
	keys := map[string]bool{}
	for key := range now {
		keys[key] = true
	}
	for key := range before {
		keys[key] = true
	}
	for key := range keys {
		isUnknown := false
		for _, k := range m.keys {
			for root := range k.roots {
				isUnknown = isUnknown || k.name == key && !live[root]
			}
		}
		v, was := fields[key]
		_, shownUnknown := v.(diff.Unknown)
		switch {
		case shownUnknown != isUnknown:
			f.Errorf("%s: %s data.%s is shown as unknown: %v, want %v", label, m.name, key, shownUnknown, isUnknown)
		case shownUnknown:
			unknown++
		case before[key] != now[key] && (!was || now[key] != "" && v != now[key]):
			f.Errorf("%s: %s data.%s changed from %q to %q, and was shown as %v", label, m.name, key, before[key], now[key], v)
		case before[key] != now[key]:
			known++
		}
	}
	return unknown, known
}

// Live addresses stay: a stack whose Service is deleted shows them as unknown again.
func TestDeletedRootIsUnknownAgain(t *testing.T) {
	f := newFixture(t)
	user := f.member("user", map[string]string{"a.yaml": configMap("user", "  host: {{ .Values.host }}\n")})
	user.Inputs = stack.Inputs{"host": clusterIP("base")}
	s := f.stack(f.member("base", map[string]string{"a.yaml": service}), user)
	f.apply(s, f.plan(s))
	if err := f.client.CoreV1().Services(f.namespace).Delete(f.ctx, "base", metav1.DeleteOptions{}); err != nil {
		f.Fatal(err)
	}
	plan := f.plan(s)
	wantUnknown(t, plan, "user", "ConfigMap data.host")
	f.apply(s, plan)
	svc, err := f.client.CoreV1().Services(f.namespace).Get(f.ctx, "base", metav1.GetOptions{})
	if err != nil || f.data("user")["host"] != svc.Spec.ClusterIP {
		t.Errorf("%v: %v", f.data("user"), err)
	}
}
