package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/fairlead-dev/fairlead/diff"
	"github.com/fairlead-dev/fairlead/internal/storage"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
	"github.com/fairlead-dev/fairlead/render"
)

// overrides are the fields of a workload that a Rollout has set, and what the
// chart rendered for them then. They are stored as a comment before the workload
// in the manifest, whose fields have the values that were set: a comment is what
// Helm keeps when it writes a revision again, such as after helm test. As long
// as the chart renders the same, a deploy keeps an override; when the chart
// changes the field, the chart's value is applied.
//
// A comment of this form that a chart prints is no override. It is changed
// before it is recorded, and in what Helm recorded no such comment counts.
type overrides struct {
	Replicas *override `json:"replicas,omitempty"`
	Paused   *override `json:"paused,omitempty"`
	Template *override `json:"template,omitempty"` // Chart is a digest
	// Restarted has no opposite: removing it would restart the pods again.
	Restarted *override `json:"restarted,omitempty"`
}

// override is what the chart rendered for a field when revision Since set it.
type override struct {
	Chart any `json:"chart,omitempty"`
	Since int `json:"since"`
}

const (
	overridesComment    = "# fairlead.dev/rollout: "
	chartComment        = "# rendered as fairlead.dev/rollout: " // one that a chart has printed
	annotationRestarted = "kubectl.kubernetes.io/restartedAt"
)

var (
	pausedAt    = []string{"spec", "paused"}
	templateAt  = []string{"spec", "template"}
	restartedAt = []string{"spec", "template", "metadata", "annotations", annotationRestarted}
)

// overridesIn reads the comment of a document; zero if there is none.
func overridesIn(doc string) overrides {
	var h overrides
	for line := range strings.Lines(doc) {
		if text, ok := strings.CutPrefix(line, overridesComment); ok {
			if json.Unmarshal([]byte(text), &h) != nil {
				return overrides{} // a comment of the chart's own
			}
			break
		}
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "---" {
			break
		}
	}
	return h
}

// recordedOverrides reads the comment of a document of a revision.
func recordedOverrides(r *storage.Record, doc string) overrides {
	if r.Recorder != "" {
		return overrides{} // what Helm recorded is the chart's own text
	}
	return overridesIn(doc)
}

// hasUndone reports whether a workload of a revision has the pod template of an
// earlier one.
func hasUndone(r *storage.Record) bool {
	if r.Recorder != "" || !r.Manifest.Contains(overridesComment) {
		return false
	}
	for doc := range yamlread.Documents(r.Manifest.String()) {
		if overridesIn(doc.Text).Template != nil {
			return true
		}
	}
	return false
}

// withoutOverrides returns the text of a manifest in which comments that look
// like overrides are others.
func withoutOverrides(text storage.Text) storage.Text {
	if !text.Contains(overridesComment) {
		return text
	}
	whole := text.String()
	var out strings.Builder
	done := 0
	for doc := range yamlread.Documents(whole) {
		at := doc.Start
		for line := range strings.Lines(doc.Text) {
			if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "---" {
				break
			}
			if strings.HasPrefix(line, overridesComment) {
				out.WriteString(whole[done:at] + chartComment)
				done = at + len(overridesComment)
			}
			at += len(line)
		}
	}
	return storage.TextOf(out.String() + whole[done:])
}

// field is where h keeps the override of the field at path.
func (h *overrides) field(path []string) **override {
	switch path[len(path)-1] {
	case "replicas":
		return &h.Replicas
	case "paused":
		return &h.Paused
	case "template":
		return &h.Template
	}
	return &h.Restarted
}

// set puts a value at path of u, as of a revision; nil removes it. What the chart
// rendered is kept from the first time, and the chart's own value is no
// override.
func (h *overrides) set(u *unstructured.Unstructured, path []string, value any, revision int) error {
	rendered, _, _ := unstructured.NestedFieldCopy(u.Object, path...)
	f := h.field(path)
	was := chartValue(path, rendered)
	if *f != nil {
		was = (*f).Chart
	}
	if err := setField(u, value, path...); err != nil {
		return err
	}
	*f = &override{Chart: was, Since: revision}
	if jsonEqual(was, chartValue(path, value)) {
		*f = nil
	}
	return nil
}

// chartValue is a rendered value in the form in which an override keeps it.
func chartValue(path []string, value any) any {
	template, ok := value.(map[string]any)
	if path[len(path)-1] != "template" || !ok {
		return value
	}
	// The annotation of a restart is not the chart's.
	u := (&unstructured.Unstructured{Object: map[string]any{"template": template}}).DeepCopy()
	unstructured.RemoveNestedField(u.Object, append([]string{"template"}, restartedAt[2:]...)...)
	if rest, _, _ := unstructured.NestedMap(u.Object, "template", "metadata", "annotations"); len(rest) == 0 {
		unstructured.RemoveNestedField(u.Object, "template", "metadata", "annotations")
	}
	data, err := json.Marshal(u.Object)
	if err != nil {
		return nil // what was decoded can be encoded
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// carry sets in u, which the chart renders now, what is overridden in last. It
// returns the overrides that still hold, and notes for people.
func (h overrides) carry(u, last *unstructured.Unstructured) (still overrides, notes []string, err error) {
	for _, path := range [][]string{templateAt, restartedAt, replicasAt, pausedAt} {
		f := *h.field(path)
		if f == nil {
			continue
		}
		name := strings.Join(path[:min(len(path), 2)], ".")
		rendered, exists, _ := unstructured.NestedFieldCopy(u.Object, path...)
		value, _, _ := unstructured.NestedFieldCopy(last.Object, path...)
		if !jsonEqual(f.Chart, chartValue(path, rendered)) {
			if len(path) == 2 || !exists { // otherwise the chart restarts by itself
				notes = append(notes, fmt.Sprintf("%s is the chart's again: the chart has changed it since revision %d set it", name, f.Since))
			}
			continue
		}
		if err := setField(u, value, path...); err != nil {
			return overrides{}, nil, err
		}
		*still.field(path) = f
		if len(path) == 2 {
			notes = append(notes, keptNote(name, path, value, f))
		}
	}
	return still, notes, nil
}

func keptNote(name string, path []string, value any, f *override) string {
	if path[1] == "template" {
		return fmt.Sprintf("%s stays as revision %d set it", name, f.Since)
	}
	chart := f.Chart
	if chart == nil {
		chart = "nothing"
	}
	return fmt.Sprintf("%s stays %v, as revision %d set it; the chart sets %v", name, value, f.Since, chart)
}

// carried is a manifest with the overrides that still hold.
type carried struct {
	objects []render.Object
	text    storage.Text
	notes   map[diff.Object][]string // for people, by identity
}

// carryOverrides sets what rollouts have overridden since in what the chart
// renders, in the objects and in the text that is recorded. last is the newest
// revision; nil: there is none. Neither it nor objects are changed.
func carryOverrides(k Key, last *storage.Record, objects []render.Object, text storage.Text) (carried, error) {
	out := carried{objects: objects, text: text}
	if last == nil || last.Recorder != "" || !last.Manifest.Contains(overridesComment) {
		return out, nil
	}
	recorded, err := parseManifest(last.Manifest.String())
	if err != nil {
		return carried{}, fmt.Errorf("read the manifest of revision %d: %w", last.Revision, err)
	}
	out.objects, out.notes = append([]render.Object(nil), objects...), map[diff.Object][]string{}
	for _, old := range recorded {
		h := recordedOverrides(last, old.Text)
		if h == (overrides{}) {
			continue
		}
		id := identityIn(k, old.Unstructured)
		for i, o := range out.objects {
			if identityIn(k, o.Unstructured) != id {
				continue
			}
			changed := o.DeepCopy()
			still, notes, err := h.carry(changed, old.Unstructured)
			if err != nil {
				return carried{}, err
			}
			out.notes[id] = notes
			if still == (overrides{}) {
				continue
			}
			out.objects[i].Unstructured, out.objects[i].Text = changed, "" // which is no longer its own
			if out.text, err = rewriteManifest(k, out.text, changed, still); err != nil {
				return carried{}, err
			}
		}
	}
	return out, nil
}

// rewriteManifest replaces one object in the text of a manifest.
func rewriteManifest(k Key, manifest storage.Text, u *unstructured.Unstructured, h overrides) (storage.Text, error) {
	whole := manifest.String()
	for doc := range yamlread.Documents(whole) {
		objects, err := parseManifest(doc.Text)
		if err != nil {
			return manifest, fmt.Errorf("read the manifest: %w", err)
		}
		if len(objects) != 1 || identityIn(k, objects[0].Unstructured) != identityIn(k, u) {
			continue
		}
		text, err := yaml.Marshal(u.Object)
		if err != nil {
			return manifest, fmt.Errorf("encode %s: %w", diff.ObjectOf(u), err)
		}
		comment := ""
		if h != (overrides{}) {
			data, err := json.Marshal(h)
			if err != nil {
				return manifest, fmt.Errorf("encode the overrides: %w", err)
			}
			comment = overridesComment + string(data) + "\n"
		}
		changed := "# Source: " + objects[0].Source + "\n" + comment + strings.TrimSuffix(string(text), "\n")
		return storage.TextOf(whole[:doc.Start] + changed + whole[doc.Start+len(doc.Text):]), nil
	}
	return manifest, fmt.Errorf("%s is not in a document of its own in the manifest", diff.ObjectOf(u))
}
