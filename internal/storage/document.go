package storage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fairlead-dev/fairlead/internal/jsonstream"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// Members of the JSON object of a release.
const (
	memberName      = "name"
	memberNamespace = "namespace"
	memberVersion   = "version"
	memberInfo      = "info"
	memberChart     = "chart"
	memberConfig    = "config"
	memberManifest  = "manifest" // of hooks too
	memberHooks     = "hooks"
	memberApply     = "apply_method"
)

// Helm 4's words for how objects are written. It goes on from a revision as
// that revision says. The engine applies on the server's side, and records the
// client's all the same: a server-side apply by Helm would be refused for each
// field that it changes and that the engine's field manager owns, whereas
// Helm's patches from the client's side are not.
const (
	applyServerSide = "ssa"
	applyClientSide = "csa"
)

// document is a JSON object of which only some members are looked into. The
// others, and the numbers in those that did not change, are written back as
// they were read.
type document map[string]json.RawMessage

// changing are the members that recording an outcome changes.
var changing = []string{memberInfo, memberHooks}

// text is the JSON of the document, and how much of its beginning lasts: what
// is behind is rewritten with each outcome. The members are JSON already;
// json.Marshal would go over each of their bytes twice more, and they can be
// megabytes.
func (d document) text() (text []byte, lasts int, err error) {
	size := 2
	for member, value := range d {
		size += len(member) + len(value) + 8
	}
	members := slices.SortedFunc(maps.Keys(d), func(a, b string) int {
		return cmp.Or(slices.Index(changing, a)-slices.Index(changing, b), strings.Compare(a, b))
	})
	text = append(make([]byte, 0, size), '{')
	for i, member := range members {
		if i > 0 {
			text = append(text, ',')
		}
		name, err := json.Marshal(member)
		if err != nil {
			return nil, 0, fmt.Errorf("encode: %w", err)
		}
		text = append(append(append(text, name...), ':'), d[member]...)
		if !slices.Contains(changing, member) {
			lasts = len(text)
		}
	}
	return append(text, '}'), lasts, nil
}

// set writes a member, or removes it if the value is empty in the way that
// Helm leaves it out.
func (d document) set(member string, value any) error {
	if v := reflect.ValueOf(value); !v.IsValid() || v.IsZero() || (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0 {
		delete(d, member)
		return nil
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", member, err)
	}
	d[member] = text
	return nil
}

// setText is set for a text.
func (d document) setText(member string, t Text) (err error) {
	delete(d, member)
	if t.Len() > 0 {
		d[member], err = t.json()
	}
	return err
}

// get reads a member; one that is absent leaves into as it is.
func (d document) get(member string, into any) error {
	text, ok := d[member]
	if !ok {
		return nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("member %q: %w", member, err)
	}
	return nil
}

// documentOf is the record as Helm's JSON: what was read, if it was, with what
// the record says written over it.
func documentOf(r *Record) (document, error) {
	doc := document(maps.Clone(r.raw))
	apply := r.ApplyMethod
	if apply == applyServerSide {
		apply = applyClientSide // Helm's own revision, which the engine's follows
	}
	if doc == nil {
		doc = document{}
		if apply == "" {
			apply = applyClientSide
		}
		chart, err := encodeChart(r.Chart)
		if err != nil {
			return nil, err
		}
		doc[memberChart] = chart
	}
	info, err := infoOf(r, doc[memberInfo])
	if err != nil {
		return nil, err
	}
	hooks := make([]document, len(r.Hooks))
	for i := range r.Hooks {
		if hooks[i], err = hookDocument(&r.Hooks[i]); err != nil {
			return nil, err
		}
	}
	err = errors.Join(
		doc.set(memberName, r.Name), doc.set(memberNamespace, r.Namespace), doc.set(memberVersion, r.Revision),
		doc.set(memberInfo, info), doc.setText(memberManifest, r.Manifest), doc.set(memberHooks, hooks), doc.set(memberApply, apply),
	)
	if err != nil {
		return nil, err
	}
	// Values that were not changed stay as they were written: 12345678901234567890
	// would not survive being read and written.
	var before map[string]any
	if doc.get(memberConfig, &before) != nil || !sameValues(before, r.Values) {
		err = doc.set(memberConfig, r.Values)
	}
	return doc, err
}

func sameValues(a, b map[string]any) bool {
	return len(a) == 0 && len(b) == 0 || reflect.DeepEqual(a, b)
}

func infoOf(r *Record, before json.RawMessage) (document, error) {
	var info document
	if before != nil {
		if err := json.Unmarshal(before, &info); err != nil {
			return nil, fmt.Errorf("member %q: %w", memberInfo, err)
		}
	}
	if info == nil { // absent or null
		info = document{}
	}
	err := errors.Join(
		info.set("description", describe(r.Description, r.Cause)),
		info.set("status", r.Status), info.set("notes", r.Notes),
	)
	for member, t := range map[string]time.Time{"first_deployed": r.FirstDeployed, "last_deployed": r.LastDeployed, "deleted": r.Deleted} {
		info[member] = helmTime(t)
	}
	return info, err
}

// helmTime is how Helm 3 writes a time: none as the empty string.
func helmTime(t time.Time) json.RawMessage {
	if t.IsZero() {
		return json.RawMessage(`""`)
	}
	return json.RawMessage(t.Format(`"` + time.RFC3339Nano + `"`))
}

func hookDocument(h *Hook) (document, error) {
	doc := document(maps.Clone(h.raw))
	if doc == nil {
		doc = document{}
	}
	var run document
	if err := doc.get("last_run", &run); err != nil {
		return nil, err
	}
	if run == nil { // absent or null
		run = document{}
	}
	run["started_at"], run["completed_at"] = helmTime(h.LastRun.StartedAt), helmTime(h.LastRun.CompletedAt)
	phase, err := json.Marshal(h.LastRun.Phase)
	if err != nil {
		return nil, fmt.Errorf("encode the phase of hook %s: %w", h.Path, err)
	}
	run["phase"] = phase
	return doc, errors.Join(
		doc.set("name", h.Name), doc.set("kind", h.Kind), doc.set("path", h.Path), doc.set(memberManifest, h.Manifest),
		doc.set("events", h.Events), doc.set("weight", h.Weight), doc.set("delete_policies", h.DeletePolicies),
		doc.set("output_log_policies", h.OutputLogPolicies), doc.set("last_run", run),
	)
}

// causeMark stands between the description and the cause in what
// helm history prints.
const causeMark = " — "

// describe is the description that Helm shows: in one line, because it stands
// in a table.
func describe(description, cause string) string {
	if cause == "" || strings.EqualFold(cause, description) {
		return description
	}
	return description + causeMark + strings.Join(strings.Fields(cause), " ")
}

// splitCause takes the cause out of the description. The annotations say
// where, unless they are not of this body: Helm drops them, and they are cut.
func (r *Record) splitCause(annotations map[string]string) {
	description, cause := annotations[annotationDescription], annotations[annotationCause]
	if r.Description == "" || describe(description, cause) != r.Description {
		description, cause, _ = strings.Cut(r.Description, causeMark)
	}
	r.Description, r.Cause = description, cause
}

// storedTime reads a time, and "" as none.
type storedTime struct{ time.Time }

func (t *storedTime) UnmarshalJSON(data []byte) error {
	if s := string(data); s == `""` || s == "null" {
		t.Time = time.Time{}
		return nil
	}
	return t.Time.UnmarshalJSON(data)
}

// member is a member of a document on its way from JSON.
type member struct {
	raw  json.RawMessage
	text string // if it is a long text, and raw nil
}

// longText is the length from which a text is not kept as JSON besides.
const longText = 64 << 10

// UnmarshalJSON implements json.Unmarshaler. A long text is read piece by piece:
// as a whole it would be in memory three times meanwhile.
func (m *member) UnmarshalJSON(data []byte) error {
	if len(data) < longText || data[0] != '"' {
		m.raw = bytes.Clone(data)
		return nil
	}
	rest := data[1 : len(data)-1]
	var text strings.Builder
	text.Grow(len(rest) - bytes.Count(rest, []byte(`\n`)))
	valid := utf8.Valid(rest)
	piece := make([]byte, 0, longText)
	for len(rest) > 0 {
		n := endOfLine(rest, longText/2)
		if valid {
			piece = jsonstream.AppendUnescaped(piece[:0], rest[:n])
			text.Write(piece)
		} else {
			piece = append(append(append(piece[:0], '"'), rest[:n]...), '"')
			var part string
			if err := json.Unmarshal(piece, &part); err != nil {
				return err
			}
			text.WriteString(part)
		}
		rest = rest[n:]
	}
	m.text = text.String()
	return nil
}

// endOfLine is where the first line's end at or after from is over in what is
// within the quotes of a JSON text, or all of it.
func endOfLine(text []byte, from int) int {
	for at := 0; at < len(text); at++ {
		if text[at] != '\\' {
			continue
		}
		at++ // what is escaped
		if at >= from && text[at] == 'n' {
			return at + 1
		}
	}
	return len(text)
}

// values counts the values of a JSON text, or somewhat more.
func values(text []byte) (n int64) {
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			for at++; at < len(text) && text[at] != '"'; at++ {
				if text[at] == '\\' {
					at++
				}
			}
		case ',', ':', '[', '{':
			n++
		}
	}
	return n
}

// readDocument reads the JSON of a document, and apart from it the manifest,
// which is most of it. It charges the account for the values of the document.
func readDocument(text []byte, account yamlread.Account) (doc document, manifest string, err error) {
	if err := account.Charge(costNode * values(text)); err != nil {
		return nil, "", err
	}
	var members map[string]member
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, "", err
	}
	doc = document{}
	for name, m := range members {
		if name == memberManifest && m.raw == nil {
			manifest = m.text
			continue
		}
		if m.raw == nil {
			if m.raw, err = json.Marshal(m.text); err != nil {
				return nil, "", err
			}
		}
		doc[name] = m.raw
	}
	if manifest == "" {
		err = doc.get(memberManifest, &manifest)
	}
	delete(doc, memberManifest)
	return doc, manifest, err
}

// recordOf reads Helm's JSON, of which the record keeps doc. Its description
// holds the cause still.
func recordOf(doc document, manifest string) (*Record, error) {
	var info struct {
		FirstDeployed storedTime `json:"first_deployed"`
		LastDeployed  storedTime `json:"last_deployed"`
		Deleted       storedTime `json:"deleted"`
		Description   string     `json:"description"`
		Status        Status     `json:"status"`
		Notes         string     `json:"notes"`
	}
	var chart struct {
		Metadata struct {
			Name        string `json:"name"`
			Version     string `json:"version"`
			AppVersion  string `json:"appVersion"`
			Description string `json:"description"`
		} `json:"metadata"`
	}
	var hooks []document
	r := &Record{raw: doc, Manifest: TextOf(manifest)}
	err := errors.Join(
		doc.get(memberName, &r.Name), doc.get(memberNamespace, &r.Namespace), doc.get(memberVersion, &r.Revision),
		doc.get(memberInfo, &info), doc.get(memberChart, &chart), doc.get(memberConfig, &r.Values),
		doc.get(memberHooks, &hooks), doc.get(memberApply, &r.ApplyMethod),
	)
	if err != nil {
		return nil, err
	}
	if r.Name == "" || r.Revision < 1 {
		return nil, errors.New("the JSON names no release and revision")
	}
	r.FirstDeployed, r.LastDeployed, r.Deleted = info.FirstDeployed.Time, info.LastDeployed.Time, info.Deleted.Time
	r.Status, r.Notes = info.Status, info.Notes
	r.Description = info.Description
	m := chart.Metadata
	r.Chart = Chart{Name: m.Name, Version: m.Version, AppVersion: m.AppVersion, Description: m.Description}
	for i, h := range hooks {
		hook, err := hookOf(h)
		if err != nil {
			return nil, fmt.Errorf("hook %d: %w", i+1, err)
		}
		r.Hooks = append(r.Hooks, hook)
	}
	return r, nil
}

func hookOf(doc document) (Hook, error) {
	var run struct {
		StartedAt   storedTime `json:"started_at"`
		CompletedAt storedTime `json:"completed_at"`
		Phase       string     `json:"phase"`
	}
	h := Hook{raw: doc}
	err := errors.Join(
		doc.get("name", &h.Name), doc.get("kind", &h.Kind), doc.get("path", &h.Path), doc.get(memberManifest, &h.Manifest),
		doc.get("events", &h.Events), doc.get("weight", &h.Weight), doc.get("delete_policies", &h.DeletePolicies),
		doc.get("output_log_policies", &h.OutputLogPolicies), doc.get("last_run", &run),
	)
	delete(doc, memberManifest)
	h.LastRun = HookRun{run.StartedAt.Time, run.CompletedAt.Time, run.Phase}
	return h, err
}
