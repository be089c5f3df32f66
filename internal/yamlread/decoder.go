package yamlread

import (
	"bytes"
	"encoding/json"
	"strings"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	sigsyaml "sigs.k8s.io/yaml"
)

// DefaultDepth is how deep a text may nest, unless the Decoder says otherwise.
const DefaultDepth = 1000

// Decoder reads YAML and JSON as sigs.k8s.io/yaml does, and so as Helm does,
// within a budget: what a text costs is charged before it is parsed, and what
// its aliases expand to before they are expanded. For a text over the limits its
// methods return a *LimitError, or the error of the account. The zero Decoder
// has safe limits.
type Decoder struct {
	// Account is charged for the memory. Nil means a Budget of DefaultMemory
	// for each text.
	Account Account
	// Depth is how deep a text may nest with its aliases expanded. Zero means
	// DefaultDepth.
	Depth int
}

// Unmarshal is sigs.k8s.io/yaml.Unmarshal within the budget: into gets the first
// document of the text, numbers in an any are float64, and errors in the YAML
// are those of that function.
func (d Decoder) Unmarshal(text []byte, into any) error {
	fast := func(seen look) bool {
		switch into := into.(type) {
		case *any:
			if m, ok := mapping(string(text), seen, Floats); ok && *into == nil {
				*into = m
				return true
			}
		case *map[string]any:
			if m, ok := mapping(string(text), seen, Floats); ok && len(*into) == 0 {
				*into = m
				return true
			}
		}
		return false
	}
	return read(d, text, fast, func() (any, error) {
		err := sigsyaml.Unmarshal(text, into)
		switch into := into.(type) {
		case *any:
			return *into, err
		case *map[string]any:
			return *into, err
		case *[]any:
			return *into, err
		}
		return nil, err
	})
}

// Object reads the first document of a text with the types that Kubernetes uses:
// whole numbers are int64, others float64. It returns nil for an empty document
// and a *KindError for one that is not a mapping.
func (d Decoder) Object(text string) (m map[string]any, err error) {
	fast := func(seen look) (ok bool) {
		m, ok = mapping(text, seen, Integers)
		return ok
	}
	return m, read(d, text, fast, func() (any, error) {
		data, err := sigsyaml.YAMLToJSON([]byte(text))
		if err != nil {
			return nil, err
		}
		m, err = objectOf(bytes.TrimSpace(data))
		return m, err
	})
}

// KindError is returned for a document that is not a mapping.
type KindError struct {
	Value any // string, bool, float64 or []any
}

func (e *KindError) Error() string { return "the document is not a mapping" }

func objectOf(data []byte) (map[string]any, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, nil
	}
	if data[0] != '{' {
		var other any
		if err := json.Unmarshal(data, &other); err != nil {
			return nil, err
		}
		return nil, &KindError{other}
	}
	var m map[string]any
	return m, utiljson.Unmarshal(data, &m)
}

// Check charges the account for all documents of a text that another parser is
// about to read, and gives it back: what they cost at once, aliases expanded,
// fits, and none of them nests too deep.
func (d Decoder) Check(text []byte) error {
	account, seen := d.account(), lookAt(text)
	c := seen.cost
	if err := account.Charge(c.peak()); err != nil {
		return err
	}
	defer func() { account.Release(c.peak()) }()
	if !seen.aliases && !mayNest(text, d.depth()) {
		return nil
	}
	expanded, err := expand(text, true)
	if err != nil {
		return nil // the parser will say so
	}
	return d.settle(account, &c, expanded)
}

// read runs parse, or fast if that knows the text, within the budget. Parse
// returns the value whose depth counts; nil for none.
func read[T string | []byte](d Decoder, text T, fast func(look) bool, parse func() (any, error)) error {
	account, seen := d.account(), lookAt(text)
	c := seen.cost
	if err := account.Charge(c.kept()); err != nil {
		return err
	}
	if fast(seen) {
		return nil
	}
	if err := account.Charge(c.peak() - c.kept()); err != nil {
		account.Release(c.kept())
		return err
	}
	var err error
	if seen.aliases {
		err = d.expandFirst(account, &c, []byte(text))
	}
	if err == nil {
		var v any
		if v, err = parse(); err == nil && mayNest(text, d.depth()) && !within(v, d.depth()) {
			err = d.tooDeep()
		}
		if err != nil {
			err = d.parserLimit(account, err)
		}
	}
	if err != nil {
		account.Release(c.peak())
		return err
	}
	account.Release(c.peak() - c.kept())
	return nil
}

// parserLimit returns the *LimitError for an error by which the parser enforces
// a limit of its own: 10,000 levels, or a share of nodes that come from aliases.
func (d Decoder) parserLimit(account Account, err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "exceeded max depth of"):
		return d.tooDeep()
	case strings.Contains(text, "document contains excessive aliasing"):
		limit := &LimitError{Limit: LimitMemory, Max: DefaultMemory}
		if budget, ok := account.(*Budget); ok {
			limit.Max = budget.limit
		}
		return limit
	}
	return err
}

func (d Decoder) tooDeep() error { return &LimitError{Limit: LimitDepth, Max: int64(d.depth())} }

func (d Decoder) account() Account {
	if d.Account == nil {
		return NewBudget(0)
	}
	return d.Account
}

func (d Decoder) depth() int {
	if d.Depth == 0 {
		return DefaultDepth
	}
	return d.Depth
}

// within reports whether a decoded value nests at most depth levels deep.
func within(v any, depth int) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, item := range v {
			if depth == 0 || !within(item, depth-1) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if depth == 0 || !within(item, depth-1) {
				return false
			}
		}
	}
	return true
}
