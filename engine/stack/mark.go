package stack

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/render"
)

// examples are two values of the output's type, drawn where it has none: names
// that a label and a host accept, of different lengths, which no chart knows.
func (o Output) examples() (first, second any) {
	if o.first != nil {
		return o.first, o.second
	}
	return "later-" + rand.String(10), "unknown-" + rand.String(14)
}

// unknownText is how a name that is not known yet is shown.
var unknownText = diff.Unknown{}.String()

// mark replaces in the plan what depends on the unknown: in it are objects of the
// first render, which the second one has in another form.
func (p *planned) mark(ctx context.Context, examples []string) error {
	plan := *p.plan.Plan
	pairs := pair(p.key(), p.twin.first, p.twin.next)
	plan.Report.Changes = slices.Clone(plan.Report.Changes)
	seen := map[diff.Object]bool{}
	for i, ch := range plan.Report.Changes {
		id := ch.Object
		id.Version = ""
		r, ok := pairs.find(id)
		if !ok {
			if ch.Action == diff.Deleted && pairs.renames(id) {
				ch.Reason = "whether it is deleted is known after apply"
				p.uncertain(ch.Object)
			}
			plan.Report.Changes[i] = ch
			continue
		}
		seen[r.id] = true
		marked, err := p.markChange(ctx, ch, r)
		if err != nil {
			return err
		}
		plan.Report.Changes[i] = marked
	}
	for _, r := range pairs {
		if r.first == nil && !seen[r.id] && !r.hook {
			ch, err := diff.Compare(diff.Input{Desired: r.second}, diff.Options{})
			if err != nil {
				return err
			}
			ch.Object.Namespace = r.id.Namespace
			ch.Local, ch.Reason = true, "whether it is created is known after apply"
			p.uncertain(ch.Object)
			plan.Report.Changes = append(plan.Report.Changes, ch)
		}
	}
	var err error
	if plan.Hooks, err = pairs.markHooks(plan.Hooks); err != nil {
		return err
	}
	if plan.LaterHooks, err = pairs.markHooks(plan.LaterHooks); err != nil {
		return err
	}
	unsure(&plan, examples)
	p.plan.Plan = &plan
	return nil
}

func (p *planned) uncertain(o diff.Object) { p.plan.Uncertain = append(p.plan.Uncertain, o) }

// markChange marks the change of one object that was rendered twice.
func (p *planned) markChange(ctx context.Context, ch diff.Change, r pairOf) (diff.Change, error) {
	if r.second == nil {
		ch.Reason = "whether it is part of the release is known after apply"
		p.uncertain(ch.Object)
		return ch, nil
	}
	if !r.renamed && reflect.DeepEqual(r.first.Object, r.second.Object) {
		return ch, nil
	}
	var live *unstructured.Unstructured
	if ch.Action != diff.Created && !r.renamed {
		var err error
		if live, err = p.engine.Live(ctx, p.key(), ch.Object); err != nil && !errors.Is(err, engine.ErrObjectNotFound) && !errors.Is(err, engine.ErrForbidden) {
			return ch, err
		}
	}
	marked, err := ch.MarkUnknown(r.first, r.second, live)
	if r.renamed {
		marked.Object.Name = unknownText
		if r.movesNamespace {
			marked.Object.Name, marked.Object.Namespace = ch.Object.Name, unknownText
		}
		p.uncertain(marked.Object)
	}
	return marked, err
}

// pairOf is an object of both renders; one of them is nil if only the other has it.
type pairOf struct {
	id            diff.Object // of the first, or of the second if that is all
	source        string      // the template
	first, second *unstructured.Unstructured
	// renamed: its name, or its namespace, is not known.
	renamed, movesNamespace bool
	hook                    bool
}

type pairsOf []pairOf

// pair finds the objects of one render again in the other: by their identity, and
// those whose name is unknown by the template that they are from, and their kind.
func pair(k engine.Key, first, second *render.Manifest) pairsOf {
	var out pairsOf
	hooks := map[diff.Object]bool{}
	for _, m := range []*render.Manifest{first, second} {
		for _, h := range m.Hooks {
			hooks[identity(k, h.Unstructured)] = true
		}
	}
	other := map[diff.Object]*unstructured.Unstructured{}
	for _, o := range objectsOf(second) {
		other[identity(k, o.Unstructured)] = o.Unstructured
	}
	for _, o := range objectsOf(first) {
		id := identity(k, o.Unstructured)
		out = append(out, pairOf{id: id, source: o.Source, first: o.Unstructured, second: other[id], hook: hooks[id]})
		delete(other, id)
	}
	for _, o := range objectsOf(second) {
		id := identity(k, o.Unstructured)
		if other[id] == nil {
			continue
		}
		alone := pairOf{id: id, source: o.Source, second: o.Unstructured, hook: hooks[id]}
		i := slices.IndexFunc(out, func(r pairOf) bool {
			return r.second == nil && r.source == alone.source && r.id.Group == id.Group && r.id.Kind == id.Kind && r.hook == alone.hook
		})
		if i < 0 {
			out = append(out, alone)
			continue
		}
		as := o.DeepCopy()
		as.SetName(out[i].first.GetName())
		as.SetNamespace(out[i].first.GetNamespace())
		out[i].second, out[i].renamed, out[i].movesNamespace = as, true, out[i].id.Name == id.Name
	}
	return out
}

func objectsOf(m *render.Manifest) []render.Object {
	out := slices.Clone(m.Objects)
	for _, h := range m.Hooks {
		out = append(out, h.Object)
	}
	return out
}

func (ps pairsOf) find(id diff.Object) (pairOf, bool) {
	i := slices.IndexFunc(ps, func(r pairOf) bool {
		return r.first != nil && r.id.Group == id.Group && r.id.Kind == id.Kind && r.id.Name == id.Name && (r.id.Namespace == id.Namespace || id.Namespace == "")
	})
	if i < 0 {
		return pairOf{}, false
	}
	return ps[i], true
}

// renames reports whether the name of an object of the kind is unknown, or whether
// there is one.
func (ps pairsOf) renames(id diff.Object) bool {
	return slices.ContainsFunc(ps, func(r pairOf) bool {
		return (r.renamed || r.first == nil || r.second == nil) && r.id.Group == id.Group && r.id.Kind == id.Kind
	})
}

func (ps pairsOf) markHooks(hooks []engine.PlannedHook) ([]engine.PlannedHook, error) {
	out := slices.Clone(hooks)
	for i, h := range out {
		id := h.Object
		id.Version = ""
		r, ok := ps.find(id)
		if !ok || r.second == nil {
			continue
		}
		ch, err := diff.Change{Object: h.Object, Action: diff.Created, Fields: h.Fields}.MarkUnknown(r.first, r.second, nil)
		if err != nil {
			return nil, err
		}
		if out[i].Fields = ch.Fields; r.renamed {
			out[i].Object.Name = unknownText
		}
	}
	return out, nil
}

// unsure turns problems with what is unknown into warnings: an example may be
// refused where the value is not. They come back at the member's turn.
func unsure(plan *engine.Plan, examples []string) {
	unknown := map[diff.Object][]string{}
	for _, ch := range plan.Report.Changes {
		unknown[ch.Object] = ch.Unknown()
	}
	var problems []engine.Problem
	var lifted, texts []string
	for _, p := range plan.Problems {
		about := slices.ContainsFunc(p.Fields, func(f string) bool {
			return slices.ContainsFunc(unknown[p.Object], func(u string) bool { return strings.HasPrefix(f, u) || strings.HasPrefix(u, f) })
		})
		if about || slices.ContainsFunc(examples, func(e string) bool { return strings.Contains(p.Message, e) }) {
			lifted = append(lifted, p.Error())
			texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %s", p.Object, strings.Join(p.Fields, ", ")))+" is not accepted with an example of it (see Output.Like)")
			continue
		}
		problems = append(problems, p)
	}
	plan.Problems = problems
	plan.Report.Warnings = slices.DeleteFunc(slices.Clone(plan.Report.Warnings), func(w string) bool { return slices.Contains(lifted, w) })
	for _, text := range texts { // without the message, which repeats the example in some form
		plan.Report.Warnings = append(plan.Report.Warnings, "decided once the unknown is known: "+text)
	}
}

// shownOnly is a plan that is to be shown and compared with, and cannot be applied
// by itself: without what it was computed from, the digests of that, and examples
// in its texts.
func shownOnly(plan *engine.Plan, examples []string) (*engine.Plan, error) {
	shown := *plan
	shown.ManifestDigest, shown.ValuesDigest, shown.TemplateDigests = "", "", nil
	for i := range shown.Report.Changes {
		shown.Report.Changes[i].Fields = withoutExamples(shown.Report.Changes[i].Fields, examples)
	}
	for i := range shown.Hooks {
		shown.Hooks[i].Fields = withoutExamples(shown.Hooks[i].Fields, examples)
	}
	for i := range shown.LaterHooks {
		shown.LaterHooks[i].Fields = withoutExamples(shown.LaterHooks[i].Fields, examples)
	}
	text, err := json.Marshal(&shown)
	if err != nil {
		return nil, err
	}
	out := &engine.Plan{}
	return out, json.Unmarshal(replaceExamples(text, examples), out)
}

var (
	jsonString = regexp.MustCompile(`"(?:[^"\\]|\\.)*":?`)
	planKey    = regexp.MustCompile(`^([A-Za-z]+|fairlead\.dev/unknown)$`)
	// planWords are keys of a plan whose values have a meaning of their own.
	planWords = []string{"schema", "kind", "group", "version", "action", "cause", "dryRun", "keyedBy", "nonce", "cluster", "event"}
)

// replaceExamples replaces the examples in the texts of a plan in JSON, and leaves
// what makes it a plan: an example may be any text, such as the name of a kind.
func replaceExamples(plan []byte, examples []string) []byte {
	key := ""
	return jsonString.ReplaceAllFunc(plan, func(token []byte) []byte {
		literal, isKey := bytes.CutSuffix(token, []byte(":"))
		var text string
		if json.Unmarshal(literal, &text) != nil {
			return token
		}
		if isKey {
			key = text
		}
		if isKey && planKey.MatchString(text) || !isKey && slices.Contains(planWords, key) {
			return token
		}
		shown := text
		for _, e := range examples {
			if len(e) >= minExample {
				shown = strings.ReplaceAll(shown, e, unknownText)
			}
		}
		if shown == text {
			return token
		}
		out, err := json.Marshal(shown)
		if err != nil {
			return token
		}
		return append(out, token[len(literal):]...)
	})
}

// minExample is the length from which an example is looked for in texts: shorter
// ones stand for nothing there.
const minExample = 6

// withoutExamples are the fields with Unknown in place of texts that hold an
// example, which the API server has taken over from another field.
func withoutExamples(fields []diff.Field, examples []string) []diff.Field {
	out := slices.Clone(fields)
	for i := range out {
		out[i].Desired = withoutExample(out[i].Desired, examples)
	}
	return out
}

func withoutExample(v any, examples []string) any {
	return mapScalars(v, func(v any) any {
		text, _ := v.(string)
		if slices.ContainsFunc(examples, func(e string) bool { return len(e) >= minExample && strings.Contains(text, e) }) {
			return diff.Unknown{}
		}
		return v
	})
}

// decoded is a value in the data of a Secret as the text that it stands for.
func decoded(o Output, v any) (any, error) {
	text, ok := v.(string)
	if !ok {
		return v, nil
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, &OutputError{o.String(), fmt.Errorf("%w: the data of the Secret is not base64", ErrOutputType)}
	}
	return string(raw), nil
}
