package chartfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// unknownName says that a schema does not know a name, and which name may have been meant: the one spelled most alike
// or, if there is none and they are few, all names. Of many or long names none is suggested.
func unknownName(name string, known []string) string {
	const text = "no such value, the name is unknown to the schema"
	if len(known) > maxSuggested || len(name) > maxSuggestedLength {
		return text
	}
	best, least := "", 1+len(name)/3 // one slip in three letters is no slip any more
	for _, other := range known {
		if len(other) > maxSuggestedLength {
			continue
		}
		if d := distance(strings.ToLower(name), strings.ToLower(other)); d < least || d == least && best == "" {
			best, least = other, d
		}
	}
	switch {
	case best != "":
		return fmt.Sprintf("%s (perhaps %q is meant)", text, best)
	case len(known) > 0 && len(known) <= 8:
		return fmt.Sprintf("%s (it knows %s)", text, short(strings.Join(known, ", ")))
	}
	return text
}

const (
	maxSuggested       = 1000
	maxSuggestedLength = 100
)

// namesAt returns the names that a schema has properties for at a place, sorted; none where it branches on the way.
func namesAt(schema *jsonschema.Schema, path []string) []string {
	for i, refs := 0, 0; schema != nil; {
		if schema.Ref != nil {
			if refs++; refs > maxSuggested {
				return nil // in a circle
			}
			schema = schema.Ref
			continue
		}
		if i == len(path) {
			names := make([]string, 0, len(schema.Properties))
			for name := range schema.Properties {
				names = append(names, name)
			}
			slices.Sort(names)
			return names
		}
		schema = below(schema, path[i])
		i++
	}
	return nil
}

func below(schema *jsonschema.Schema, key string) *jsonschema.Schema {
	if property := schema.Properties[key]; property != nil {
		return property
	}
	for pattern, property := range schema.PatternProperties {
		if pattern.MatchString(key) {
			return property
		}
	}
	if schema.Items2020 != nil {
		return schema.Items2020
	}
	if items, ok := schema.Items.(*jsonschema.Schema); ok {
		return items
	}
	others, _ := schema.AdditionalProperties.(*jsonschema.Schema)
	return others
}

// distance counts the letters to put in, take out, change or swap with their neighbour to make a word of another.
func distance(a, b string) int {
	var before []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			change := row[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			next[j] = min(row[j]+1, next[j-1]+1, change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
