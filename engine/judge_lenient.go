package engine

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/fairlead-dev/fairlead/internal/definition"
)

// The parts of a message about an object that does not fit its schema, in the
// words of [readable].
var (
	misfit     = regexp.MustCompile(`(?:^|[\s;])([a-zA-Z][^\s:"]*(?:\[[^\]]*\][^\s:"]*)*): (?:expected |field not declared|duplicate entries|element )`)
	undeclared = regexp.MustCompile(`(?:^|[\s;])([a-zA-Z][^\s:"]*(?:\[[^\]]*\][^\s:"]*)*): field not declared in schema`)
	duplicated = regexp.MustCompile(`(?:^|[\s;])([a-zA-Z][^\s:"]*(?:\[[^\]]*\][^\s:"]*)*): duplicate entries for key (\[[^\]]*\])`)
)

// fieldsIn are the fields that a message about a schema names.
func fieldsIn(text string) []string {
	var out []string
	for _, m := range misfit.FindAllStringSubmatch(text, -1) {
		out = appendNew(out, m[1])
	}
	return out
}

// maxMisfits bounds how many unknown fields and repeated items of one object are
// left out in turn: what is read of an object with one may end with it, so that
// the next shows only when it is gone.
const maxMisfits = 100

// isLenient reports whether fields that the schema lacks are left out with a
// warning: if the options say so, and of what was stored, which ran with them
// before and cannot be fixed any more.
func (p premise) isLenient() bool {
	return p.policy.fields == FieldValidationWarn || p.mode.restores() || p.mode == rollingOut
}

// predictLenient is predict of what the schema knows, where that is asked for.
func (j *judge) predictLenient(ctx context.Context, in intended) (intended, prediction, error) {
	if j.isLenient() {
		in = j.withoutUndefined(in)
	}
	f, err := j.predict(ctx, in)
	for range maxMisfits {
		fewer, ok := in.withoutMisfits(f.refusal.text)
		if err != nil || !ok || !j.isLenient() {
			break
		}
		in = fewer
		f, err = j.predict(ctx, in)
	}
	return in, f, err
}

// withoutUndefined is a custom resource without the fields that are not in the
// definition which comes along with it.
func (j *judge) withoutUndefined(in intended) intended {
	crd := j.definitionOf(in, false)
	if crd == nil {
		return in
	}
	faults, err := definition.Validate(crd, in.id.Version, in.body.Object)
	if err != nil {
		return in
	}
	var unknown []string
	for _, fault := range faults {
		if fault.Unknown {
			unknown = append(unknown, fault.Field+": field not declared in schema")
		}
	}
	in, _ = in.withoutMisfits(strings.Join(unknown, "; "))
	return in
}

// withoutMisfits is in without the fields that a refusal says the schema lacks,
// and without items of lists that a later one repeats; not ok if there are none.
func (in intended) withoutMisfits(refusal string) (out intended, ok bool) {
	body := &unstructured.Unstructured{Object: runtime.DeepCopyJSON(in.body.Object)}
	var left []string
	for _, m := range undeclared.FindAllStringSubmatch(refusal, -1) {
		if removeAt(body.Object, "."+m[1]) {
			left = append(left, fmt.Sprintf("unknown field %s is left out", m[1]))
		}
	}
	for _, m := range duplicated.FindAllStringSubmatch(refusal, -1) {
		if removeAt(body.Object, "."+m[1]+m[2]) {
			left = append(left, fmt.Sprintf("%s has several items %s: the last one is applied", m[1], m[2]))
		}
	}
	if len(left) == 0 {
		return in, false
	}
	slices.Sort(left)
	in.body = body
	for _, note := range left {
		in = in.withNote(note)
	}
	return in, true
}

// removeAt removes what is at a path, as structured-merge-diff writes it: names
// after dots, which may hold dots themselves, and list items by their keys. Of
// several items with these keys the last one stays. It reports whether there was
// anything.
func removeAt(v any, path string) bool {
	switch v := v.(type) {
	case map[string]any:
		for key, below := range v {
			rest, ok := strings.CutPrefix(path, "."+key)
			switch {
			case !ok:
			case rest == "":
				delete(v, key)
				return true
			case rest[0] == '[' && !strings.Contains(rest[1:], "[") && strings.HasSuffix(rest, "]"):
				if items, ok := below.([]any); ok {
					if few := withoutRepeated(items, itemKeys(rest)); len(few) < len(items) {
						v[key] = few
						return true
					}
				}
			case rest[0] == '.' || rest[0] == '[':
				if removeAt(below, rest) {
					return true
				}
			}
		}
	case []any:
		end := strings.Index(path, "]")
		if end < 0 {
			return false
		}
		keys, rest := itemKeys(path[:end+1]), path[end+1:]
		for i, item := range v {
			if (path == fmt.Sprintf("[%d]", i)+rest || hasKeys(item, keys)) && rest != "" && removeAt(item, rest) {
				return true
			}
		}
	}
	return false
}

var keyOfItem = regexp.MustCompile(`(\w*)=("(?:[^"\\]|\\.)*"|[^,\]]+)`)

// itemKeys are the keys and values by which a path names a list item; the key is
// empty for an item of a set.
func itemKeys(part string) map[string]string {
	out := map[string]string{}
	for _, m := range keyOfItem.FindAllStringSubmatch(part, -1) {
		out[m[1]] = m[2]
	}
	return out
}

// hasKeys reports whether a list item has these keys; one that it lacks may have
// a default.
func hasKeys(item any, keys map[string]string) bool {
	if value, ok := keys[""]; ok {
		return textOfKey(item) == value
	}
	m, ok := item.(map[string]any)
	if !ok || len(keys) == 0 {
		return false
	}
	for key, want := range keys {
		if have, ok := m[key]; ok && textOfKey(have) != want {
			return false
		}
	}
	return true
}

func textOfKey(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

// withoutRepeated is a list without the items with these keys, but for the last
// one of them.
func withoutRepeated(items []any, keys map[string]string) []any {
	var out []any
	found := false
	for _, item := range slices.Backward(items) {
		if hasKeys(item, keys) {
			if found {
				continue
			}
			found = true
		}
		out = append(out, item)
	}
	slices.Reverse(out)
	return out
}
