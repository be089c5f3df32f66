package schema

import (
	"fmt"
	"strings"
)

// Table is the Markdown table of all values, in the order of the struct: key, type, default, description. Lists and
// maps of objects show their elements' keys as key[].inner and key.*.inner; objects of Kubernetes' own are named.
func (s *Schema) Table() (string, error) {
	var out strings.Builder
	out.WriteString("| Key | Type | Default | Description |\n| --- | --- | --- | --- |\n")
	if err := rows(&out, s.Root, ""); err != nil {
		return "", err
	}
	return out.String(), nil
}

func rows(out *strings.Builder, n *Node, prefix string) error {
	for _, p := range n.Properties {
		key := prefix + p.Name
		value := ""
		if p.Default != nil {
			text, err := marshal(p.Default)
			if err != nil {
				return err
			}
			value = "`" + strings.ReplaceAll(string(text), "|", `\|`) + "`"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s | %s |\n", key, typeName(p.Node), value, strings.ReplaceAll(p.Description, "|", `\|`))
		inner, mark := p.Node, "."
		if p.Items != nil {
			inner, mark = p.Items, "[]."
		} else if p.Values != nil {
			inner, mark = p.Values, ".*."
		}
		if err := rows(out, inner, key+mark); err != nil {
			return err
		}
	}
	return nil
}

func typeName(n *Node) string {
	switch {
	case n.Ref != "":
		return n.Ref
	case len(n.Enum) > 0:
		return "`" + strings.Join(n.Enum, "`, `") + "`"
	case n.Items != nil:
		return "list of " + typeName(n.Items)
	case n.Values != nil && (n.Values.Ref != "" || len(n.Values.Type) > 0):
		return "map of " + typeName(n.Values)
	case n.Minimum != nil && n.Maximum != nil:
		return fmt.Sprintf("%s, %d–%d", strings.Join(n.Type, " or "), *n.Minimum, *n.Maximum)
	case n.Minimum != nil:
		return fmt.Sprintf("%s, from %d", strings.Join(n.Type, " or "), *n.Minimum)
	default:
		return strings.Join(n.Type, " or ")
	}
}
