package chartfile

import (
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
)

const globalKey = "global"

// Coalesce gives the values over the charts' own defaults, and each subchart's
// below its name. The result is the caller's: nothing in it is shared with the
// charts or the values.
//
// Its rules are those of Helm's function of that name, which copies all defaults
// by reflection each time before it looks at them. Here a default is copied when
// it is taken.
func (i *Instance) Coalesce(values map[string]any) (map[string]any, error) {
	own := copyMap(values)
	if err := coalesce(i.root, own, false); err != nil {
		return nil, err
	}
	return own, nil
}

// coalesce fills in the defaults of a chart and of its subcharts. Nulls delete
// defaults, or stay if they are kept for later.
func coalesce(c *chart.Chart, into map[string]any, keepNulls bool) error {
	for key, standard := range c.Values {
		given, ok := into[key]
		if !ok {
			into[key] = copyOf(standard)
			continue
		}
		if given == nil {
			if !keepNulls {
				delete(into, key)
			}
			continue
		}
		table, isTable := given.(map[string]any)
		defaults, hasTable := standard.(map[string]any)
		if isTable && hasTable {
			// Nulls for a subchart are kept until its own turn.
			fill(table, defaults, keepNulls || hasSubchart(c, key), true)
		}
	}
	for _, sub := range c.Dependencies() {
		given, ok := into[sub.Name()]
		if !ok {
			given = map[string]any{}
			into[sub.Name()] = given
		}
		table, ok := given.(map[string]any)
		if !ok {
			return fmt.Errorf("type mismatch on %s: %t", sub.Name(), given) // Helm's words
		}
		passGlobals(table, into)
		if err := coalesce(sub, table, keepNulls); err != nil {
			return err
		}
	}
	return nil
}

func hasSubchart(c *chart.Chart, name string) bool {
	for _, sub := range c.Dependencies() {
		if sub.Name() == name {
			return true
		}
	}
	return false
}

// fill puts in what a table lacks, copied if the source is to stay as it is. A
// null in the table deletes what the source has there, or stays if nulls are
// kept.
func fill(table, from map[string]any, keepNulls, copied bool) {
	if table == nil {
		return
	}
	for key, standard := range from {
		given, ok := table[key]
		switch {
		case !ok && copied:
			table[key] = copyOf(standard)
		case !ok:
			table[key] = standard
		case given == nil:
			if standard != nil && !keepNulls {
				delete(table, key)
			}
		default:
			inner, isTable := given.(map[string]any)
			defaults, hasTable := standard.(map[string]any)
			if isTable && hasTable {
				fill(inner, defaults, keepNulls, copied)
			}
		}
	}
}

// passGlobals puts the globals of a chart into the values of a subchart. As with
// Helm, tables below the first level of the globals are the same for both.
func passGlobals(sub, above map[string]any) {
	inner, ok := sub[globalKey].(map[string]any)
	if _, has := sub[globalKey]; has && !ok {
		return
	}
	outer, ok := above[globalKey].(map[string]any)
	if _, has := above[globalKey]; has && !ok {
		return
	}
	if inner == nil {
		inner = map[string]any{}
	}
	for key, given := range outer {
		own, has := inner[key]
		ownTable, ownIsTable := own.(map[string]any)
		table, isTable := given.(map[string]any)
		switch {
		case isTable && has && !ownIsTable:
		case isTable:
			first := make(map[string]any, len(table))
			for k, v := range table {
				first[k] = v
			}
			fill(first, ownTable, true, false)
			inner[key] = first
		case !ownIsTable:
			inner[key] = given
		}
	}
	sub[globalKey] = inner
}

func copyMap(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = copyOf(v)
	}
	return out
}

func copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		return copyMap(v)
	case []any:
		if v == nil {
			return v
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = copyOf(item)
		}
		return out
	}
	return v
}
