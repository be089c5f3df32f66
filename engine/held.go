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
	"github.com/fairlead-dev/fairlead/render"
)

// held says which fields of a workload a Rollout has set, and what the chart
// rendered for them then. It stands as a comment before the workload in the
// stored manifest, whose fields have what was set. As long as the chart
// renders the same, a deploy leaves the field as it was set; when the chart
// says something new, that counts.
type held struct {
	Replicas *heldField `json:"replicas,omitempty"`
	Paused   *heldField `json:"paused,omitempty"`
	Template *heldField `json:"template,omitempty"` // of the chart's, a digest
	// Restarted holds by itself: taken away, it would restart the pods again.
	Restarted *heldField `json:"restarted,omitempty"`
}

// heldField is what the chart rendered, in revision Since.
type heldField struct {
	Chart any `json:"chart,omitempty"`
	Since int `json:"since"`
}

const (
	heldComment         = "# fairlead.dev/rollout: "
	annotationRestarted = "kubectl.kubernetes.io/restartedAt"
)

var (
	replicasAt  = []string{"spec", "replicas"}
	pausedAt    = []string{"spec", "paused"}
	templateAt  = []string{"spec", "template"}
	restartedAt = []string{"spec", "template", "metadata", "annotations", annotationRestarted}
)

// heldIn reads the comment of a document; zero if there is none.
func heldIn(doc string) held {
	var h held
	for line := range strings.Lines(doc) {
		if text, ok := strings.CutPrefix(line, heldComment); ok {
			if json.Unmarshal([]byte(text), &h) != nil {
				return held{} // somebody else's comment
			}
			break
		}
		if !strings.HasPrefix(line, "#") && strings.TrimSpace(line) != "---" {
			break
		}
	}
	return h
}

// field finds where h holds the field at path.
func (h *held) field(path []string) **heldField {
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

// set puts a value at path of u, as of a revision; nil takes it away. What the
// chart rendered is kept from the first time, and a value that is the chart's
// own is not held.
func (h *held) set(u *unstructured.Unstructured, path []string, value any, revision int) error {
	rendered, _, _ := unstructured.NestedFieldCopy(u.Object, path...)
	f := h.field(path)
	was := kept(path, rendered)
	if *f != nil {
		was = (*f).Chart
	}
	if err := setField(u, value, path...); err != nil {
		return err
	}
	*f = &heldField{Chart: was, Since: revision}
	if jsonEqual(was, kept(path, value)) {
		*f = nil
	}
	return nil
}

// kept is a rendered value in the form in which it is kept.
func kept(path []string, value any) any {
	template, ok := value.(map[string]any)
	if path[len(path)-1] != "template" || !ok {
		return value
	}
	// What a restart has set is not the chart's.
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

// carry puts what last holds into what the chart renders now, and answers
// what still holds, with a word for people on each field.
func (h held) carry(u, last *unstructured.Unstructured) (still held, notes []string, err error) {
	for _, path := range [][]string{templateAt, restartedAt, replicasAt, pausedAt} {
		f := *h.field(path)
		if f == nil {
			continue
		}
		name := strings.Join(path[:min(len(path), 2)], ".")
		rendered, there, _ := unstructured.NestedFieldCopy(u.Object, path...)
		value, _, _ := unstructured.NestedFieldCopy(last.Object, path...)
		if !jsonEqual(f.Chart, kept(path, rendered)) {
			if !(len(path) > 2 && there) { // the chart restarts by itself
				notes = append(notes, fmt.Sprintf("%s is the chart's again: it has changed there since revision %d set it", name, f.Since))
			}
			continue
		}
		if err := setField(u, value, path...); err != nil {
			return held{}, nil, err
		}
		*still.field(path) = f
		if len(path) == 2 {
			text := fmt.Sprintf("%s stays as revision %d has set it", name, f.Since)
			if path[1] != "template" {
				text = fmt.Sprintf("%s stays %v, as revision %d has set it; the chart says %v", name, value, f.Since, orDefault(f.Chart))
			}
			notes = append(notes, text)
		}
	}
	return still, notes, nil
}

func orDefault(v any) any {
	if v == nil {
		return "nothing"
	}
	return v
}

// carryHeld puts what rollouts have set since into what the chart renders,
// in the objects and in the text that is recorded.
func (pl *planning) carryHeld(objects []render.Object, manifest storage.Text) ([]render.Object, storage.Text, error) {
	if pl.past.last == nil || !pl.past.last.Manifest.Contains(heldComment) {
		return objects, manifest, nil
	}
	recorded, err := parseManifest(pl.past.last.Manifest.String())
	if err != nil {
		return nil, manifest, fmt.Errorf("read the manifest of revision %d: %w", pl.past.last.Revision, err)
	}
	out := append([]render.Object(nil), objects...)
	pl.notes = map[diff.Object][]string{}
	for _, last := range recorded {
		h := heldIn(last.Text)
		if h == (held{}) {
			continue
		}
		id := pl.identity(last.Unstructured)
		for i, o := range out {
			if pl.identity(o.Unstructured) != id {
				continue
			}
			out[i].Unstructured = o.DeepCopy()
			still, notes, err := h.carry(out[i].Unstructured, last.Unstructured)
			if err != nil {
				return nil, manifest, err
			}
			pl.notes[id] = notes
			if still == (held{}) {
				out[i].Unstructured = o.Unstructured
				continue
			}
			out[i].Text = "" // which is no longer its own
			if manifest, err = pl.rewrite(manifest, out[i].Unstructured, still); err != nil {
				return nil, manifest, err
			}
		}
	}
	return out, manifest, nil
}

// identity is that of an object of a manifest, which need not write its
// namespace.
func (pl *planning) identity(u *unstructured.Unstructured) diff.Object {
	o := identity(diff.ObjectOf(u))
	if o.Namespace == "" {
		o.Namespace = pl.key.Namespace
	}
	return o
}

// rewrite replaces one object in the text of a manifest.
func (pl *planning) rewrite(manifest storage.Text, u *unstructured.Unstructured, h held) (storage.Text, error) {
	const line = "---\n"
	docs := strings.SplitAfter("\n"+manifest.String(), "\n"+line)
	for i, doc := range docs {
		body := strings.TrimSuffix(doc, line)
		objects, err := parseManifest(body)
		if err != nil {
			return manifest, fmt.Errorf("read the manifest: %w", err)
		}
		if len(objects) != 1 || pl.identity(objects[0].Unstructured) != pl.identity(u) {
			continue
		}
		text, err := yaml.Marshal(u.Object)
		if err != nil {
			return manifest, fmt.Errorf("encode %s: %w", diff.ObjectOf(u), err)
		}
		comment := ""
		if h != (held{}) {
			data, err := json.Marshal(h)
			if err != nil {
				return manifest, fmt.Errorf("encode what is held: %w", err)
			}
			comment = heldComment + string(data) + "\n"
		}
		docs[i] = "# Source: " + objects[0].Source + "\n" + comment + string(text)
		if body != doc {
			docs[i] += line
		}
		return storage.TextOf(strings.TrimPrefix(strings.Join(docs, ""), "\n")), nil
	}
	return manifest, fmt.Errorf("%s does not stand by itself in the manifest", diff.ObjectOf(u))
}
