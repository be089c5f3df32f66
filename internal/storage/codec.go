package storage

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const (
	// maxBody is how much of a Secret's 1 MiB the body may take; the rest is
	// left for what other writers add.
	maxBody = 1<<20 - 4<<10
	// maxDecoded bounds what a body may unpack to: a Secret that unpacks to
	// more was made to.
	maxDecoded = 256 << 20
)

var gzipMagic = []byte{0x1f, 0x8b, 0x08}

// encode writes the record's JSON as Helm does. A chart that makes it too big
// is trimmed step by step: what only people read first.
func encode(r *Record) ([]byte, error) {
	doc, err := document(r)
	if err != nil {
		return nil, err
	}
	if r.raw != nil {
		return fit(doc)
	}
	for _, keep := range []func(name string) bool{
		func(string) bool { return true },
		func(name string) bool { return !forPeople(name) },
		func(name string) bool { return strings.HasPrefix(name, "templates/") || isDefinition(name) },
		isDefinition,
	} {
		files := slices.DeleteFunc(slices.Clone(r.Chart.Files), func(f File) bool { return !keep(f.Name) })
		if doc["chart"], err = encodeChart(r.Chart, files); err != nil {
			return nil, err
		}
		body, err := fit(doc)
		if !errors.Is(err, ErrTooBig) {
			return body, err
		}
	}
	return nil, ErrTooBig
}

func fit(doc map[string]any) ([]byte, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	body := make([]byte, base64.StdEncoding.EncodedLen(packed.Len()))
	base64.StdEncoding.Encode(body, packed.Bytes())
	if len(body) > maxBody {
		return nil, ErrTooBig
	}
	return body, nil
}

// forPeople says whether a chart's file matters only to its readers and
// makers.
func forPeople(name string) bool {
	for _, dir := range []string{"docs/", "doc/", "ci/", "tests/", "test/", "examples/", "templates/tests/", ".github/"} {
		if strings.HasPrefix(name, dir) {
			return true
		}
	}
	base := strings.ToUpper(name[strings.LastIndexByte(name, '/')+1:])
	return strings.HasPrefix(base, "README") || strings.HasPrefix(base, "LICENSE") || strings.HasPrefix(base, "CHANGELOG") || strings.HasPrefix(base, "CONTRIBUTING")
}

func isDefinition(name string) bool {
	switch name {
	case "Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json":
		return true
	}
	return false
}

// document is the record as the JSON object that Helm stores: what was read,
// if it was, with what the record says written over it.
func document(r *Record) (map[string]any, error) {
	doc := maps.Clone(r.raw)
	if doc == nil {
		doc = map[string]any{
			"config":       r.Values,
			"manifest":     r.Manifest,
			"apply_method": "ssa",
		}
	}
	info, _ := doc["info"].(map[string]any)
	info = maps.Clone(info)
	if info == nil {
		info = map[string]any{}
	}
	info["first_deployed"] = helmTime(r.FirstDeployed)
	info["last_deployed"] = helmTime(r.LastDeployed)
	info["deleted"] = helmTime(r.Deleted)
	info["description"] = withCause(r.Description, r.Cause)
	info["status"] = string(r.Status)
	info["notes"] = r.Notes
	doc["info"] = info
	doc["name"], doc["namespace"], doc["version"] = r.Name, r.Namespace, r.Revision
	if len(r.Hooks) > 0 {
		doc["hooks"] = r.Hooks
	}
	return doc, nil
}

// helmTime is how Helm writes a time: none as the empty string.
func helmTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}

// causeMark stands between the description and the cause in what
// helm history prints.
const causeMark = " — "

func withCause(description, cause string) string {
	if cause == "" {
		return description
	}
	return description + causeMark + cause
}

func splitCause(s string) (description, cause string) {
	description, cause, _ = strings.Cut(s, causeMark)
	return description, cause
}

// unpack reads a body to its JSON text.
func unpack(body []byte) ([]byte, error) {
	packed := make([]byte, base64.StdEncoding.DecodedLen(len(body)))
	n, err := base64.StdEncoding.Decode(packed, body)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	packed = packed[:n]
	if !bytes.HasPrefix(packed, gzipMagic) {
		return packed, nil // stored before Helm compressed
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("not gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxDecoded+1))
	if err != nil {
		return nil, fmt.Errorf("broken gzip: %w", err)
	}
	if len(text) > maxDecoded {
		return nil, fmt.Errorf("unpacks to more than %d MiB", maxDecoded>>20)
	}
	return text, nil
}

// stored is the part of Helm's JSON that a Record holds.
type stored struct {
	Name      string         `json:"name"`
	Namespace string         `json:"namespace"`
	Version   int            `json:"version"`
	Config    map[string]any `json:"config"`
	Manifest  string         `json:"manifest"`
	Hooks     []storedHook   `json:"hooks"`
	Info      struct {
		FirstDeployed storedTime `json:"first_deployed"`
		LastDeployed  storedTime `json:"last_deployed"`
		Deleted       storedTime `json:"deleted"`
		Description   string     `json:"description"`
		Status        string     `json:"status"`
		Notes         string     `json:"notes"`
	} `json:"info"`
	Chart struct {
		Metadata struct {
			Name        string `json:"name"`
			Version     string `json:"version"`
			AppVersion  string `json:"appVersion"`
			Description string `json:"description"`
		} `json:"metadata"`
	} `json:"chart"`
}

type storedHook struct {
	Hook
	LastRun struct {
		StartedAt   storedTime `json:"started_at"`
		CompletedAt storedTime `json:"completed_at"`
		Phase       string     `json:"phase"`
	} `json:"last_run"`
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

func decode(body []byte) (*Record, error) {
	text, err := unpack(body)
	if err != nil {
		return nil, err
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("not the JSON of a release: %w", err)
	}
	if s.Name == "" || s.Version < 1 {
		return nil, errors.New("the JSON names no release and revision")
	}
	r := &Record{
		Name: s.Name, Namespace: s.Namespace, Revision: s.Version, Status: Status(s.Info.Status),
		FirstDeployed: s.Info.FirstDeployed.Time, LastDeployed: s.Info.LastDeployed.Time, Deleted: s.Info.Deleted.Time,
		Values: s.Config, Manifest: s.Manifest, Notes: s.Info.Notes,
		Chart: Chart{Name: s.Chart.Metadata.Name, Version: s.Chart.Metadata.Version, AppVersion: s.Chart.Metadata.AppVersion, Description: s.Chart.Metadata.Description},
	}
	r.Description, r.Cause = splitCause(s.Info.Description)
	for _, h := range s.Hooks {
		hook := h.Hook
		hook.LastRun = HookRun{h.LastRun.StartedAt.Time, h.LastRun.CompletedAt.Time, h.LastRun.Phase}
		r.Hooks = append(r.Hooks, hook)
	}
	numbers := json.NewDecoder(bytes.NewReader(text))
	numbers.UseNumber() // so that what is written back is what was read
	return r, numbers.Decode(&r.raw)
}
