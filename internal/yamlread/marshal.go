package yamlread

import (
	"strings"

	sigsyaml "sigs.k8s.io/yaml"
)

// Marshal is sigs.k8s.io/yaml.Marshal of a value of decoded YAML or JSON. What
// it takes is charged to the account first, because indentation makes of a value
// that nests deep a text of many times its size; the text stays charged.
func Marshal(account Account, v any) (string, error) {
	size := textSize(v, 0)
	// The value is encoded as JSON and read again on the way.
	peak := peakNode*size.nodes + peakByte*size.bytes
	if err := account.Charge(peak); err != nil {
		return "", err
	}
	text, err := sigsyaml.Marshal(v)
	if err != nil {
		account.Release(peak)
		return "", err
	}
	account.Release(peak - min(peak, int64(len(text))))
	return string(text), nil
}

// textSize bounds what a value comes to as YAML: every line is indented by two
// spaces for each level.
func textSize(v any, level int64) cost {
	c := cost{nodes: 1, bytes: 2*level + 24}
	add := func(below cost) {
		c.nodes += below.nodes
		c.bytes += below.bytes
	}
	switch v := v.(type) {
	case string:
		c.bytes += jsonLen(v) + 2*(level+1)*int64(strings.Count(v, "\n"))
	case []any:
		for _, item := range v {
			add(textSize(item, level+1))
		}
	case map[string]any:
		for key, item := range v {
			add(cost{bytes: jsonLen(key) + 4})
			add(textSize(item, level+1))
		}
	}
	return c
}
