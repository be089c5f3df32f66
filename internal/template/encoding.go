package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/BurntSushi/toml"
	"sigs.k8s.io/yaml"
	yamlv3 "sigs.k8s.io/yaml/goyaml.v3"

	"github.com/fairlead-dev/fairlead/internal/account"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// The functions of this file are Helm's. They never fail: an encoder returns
// nothing where it cannot encode, a decoder returns its error in the result.

func toYAML(v any) string {
	data, err := yaml.Marshal(v)
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

func toYAMLPretty(v any) string {
	var b bytes.Buffer
	enc := yamlv3.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(v); err != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func fromYAML(r *Run, text string) map[string]any {
	m := map[string]any{}
	if err := r.decodeYAML(text, &m); err != nil {
		m["Error"] = err.Error()
	}
	return m
}

func fromYAMLArray(r *Run, text string) []any {
	list := []any{}
	if err := r.decodeYAML(text, &list); err != nil {
		list = []any{err.Error()}
	}
	return list
}

// decodeYAML decodes on the run's account. Aliases are charged by what they
// expand to.
func (r *Run) decodeYAML(text string, into any) error {
	work := 2 * int64(len(text))
	r.work(work)
	_, err := r.apart(work, func() (value, error) {
		return value{}, yamlread.Decoder{Account: r.account, Depth: r.nesting}.Unmarshal([]byte(text), into)
	})
	var deep *yamlread.LimitError
	var limit *account.LimitError
	switch {
	case errors.As(err, &deep):
		r.tooDeep()
	case errors.As(err, &limit):
		r.exceeded(limit)
	}
	return err
}

func toTOML(v any) string {
	text, err := mustToTOML(v)
	if err != nil {
		return err.Error()
	}
	return text
}

func fromTOML(text string) map[string]any {
	m := map[string]any{}
	if err := toml.Unmarshal([]byte(text), &m); err != nil {
		m["Error"] = err.Error()
	}
	return m
}

func toJSON(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(data)
}

func fromJSON(text string) map[string]any {
	m := make(map[string]any)
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		m["Error"] = err.Error()
	}
	return m
}

func fromJSONArray(text string) []any {
	list := []any{}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		list = []any{err.Error()}
	}
	return list
}
