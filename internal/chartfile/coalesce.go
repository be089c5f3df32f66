package chartfile

import (
	"fmt"

	"helm.sh/helm/v3/pkg/chart"
)

const globalKey = "global"

// Coalesce returns the values over the charts' own defaults, and each
// subchart's below its name. The caller owns the result: nothing in it is
// shared with the charts or the values.
//
// Its rules are those of Helm's function of that name, which copies all
// defaults by reflection before it looks at them. Here a default is copied when
// it is taken.
func (i *Instance) Coalesce(values map[string]any, m *Meter) (map[string]any, error) {
	c := coalescer{meter: m, charge: m.take}
	own := c.copyMap(values)
	if err := c.coalesce(i.root, own, false); err != nil {
		return nil, err
	}
	return own, nil
}

// coalescer combines values and charges what it copies.
type coalescer struct {
	meter *Meter
	// charge is the meter's take for what is kept, its step for what is not.
	charge func(entries int) bool
	// only are the keys to take, at any depth; nil takes all.
	only keySet
}

// coalesce fills in the defaults of a chart and of its subcharts. Nulls delete
// defaults, or stay if they are kept for later.
func (c *coalescer) coalesce(ch *chart.Chart, into map[string]any, keepNulls bool) error {
	subcharts := make(keySet, len(ch.Dependencies()))
	for _, sub := range ch.Dependencies() {
		subcharts[sub.Name()] = true
	}
	for key, standard := range ch.Values {
		if !c.takes(key) {
			continue
		}
		if !c.meter.step(1) {
			break
		}
		given, ok := into[key]
		if !ok {
			c.set(into, key, c.copyOf(standard))
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
			c.fill(table, defaults, keepNulls || subcharts[key])
		}
	}
	for _, sub := range ch.Dependencies() {
		if !c.meter.step(1) {
			break
		}
		given, ok := into[sub.Name()]
		if !ok {
			given = map[string]any{}
			c.set(into, sub.Name(), given)
		}
		table, ok := given.(map[string]any)
		if !ok {
			return fmt.Errorf("type mismatch on %s: %t", sub.Name(), given) // Helm's words
		}
		c.passGlobals(table, into)
		if err := c.coalesce(sub, table, keepNulls); err != nil {
			return err
		}
	}
	return c.meter.err
}

func (c *coalescer) takes(key string) bool { return c.only == nil || c.only[key] }

func (c *coalescer) set(into map[string]any, key string, v any) {
	if c.charge(1) {
		into[key] = v
	}
}

// fill adds copies of what a table lacks. A null in the table deletes what the
// defaults have there, or stays if nulls are kept.
func (c *coalescer) fill(table, from map[string]any, keepNulls bool) {
	if table == nil {
		return
	}
	for key, standard := range from {
		if !c.takes(key) {
			continue
		}
		if !c.meter.step(1) {
			return
		}
		given, ok := table[key]
		switch {
		case !ok:
			c.set(table, key, c.copyOf(standard))
		case given == nil:
			if standard != nil && !keepNulls {
				delete(table, key)
			}
		default:
			inner, isTable := given.(map[string]any)
			defaults, hasTable := standard.(map[string]any)
			if isTable && hasTable {
				c.fill(inner, defaults, keepNulls)
			}
		}
	}
}

// share adds what a table lacks without copying it; nulls stay.
func (c *coalescer) share(table, from map[string]any) {
	for key, v := range from {
		if !c.meter.step(1) {
			return
		}
		given, ok := table[key]
		if !ok {
			c.set(table, key, v)
			continue
		}
		inner, isTable := given.(map[string]any)
		below, hasTable := v.(map[string]any)
		if isTable && hasTable && inner != nil {
			c.share(inner, below)
		}
	}
}

// passGlobals puts the globals of a chart into the values of a subchart. As with
// Helm, tables below the first level of the globals are the same for both.
func (c *coalescer) passGlobals(sub, above map[string]any) {
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
		if !c.takes(key) {
			continue
		}
		if !c.charge(1) {
			break
		}
		own, has := inner[key]
		ownTable, ownIsTable := own.(map[string]any)
		table, isTable := given.(map[string]any)
		switch {
		case isTable && has && !ownIsTable:
		case isTable:
			if !c.charge(len(table)) {
				break
			}
			first := make(map[string]any, len(table))
			for k, v := range table {
				first[k] = v
			}
			c.share(first, ownTable)
			inner[key] = first
		case !ownIsTable:
			inner[key] = given
		}
	}
	sub[globalKey] = inner
}

func (c *coalescer) copyMap(m map[string]any) map[string]any {
	if c.only != nil && len(c.only) < len(m) {
		out := make(map[string]any)
		for k := range c.only {
			if v, ok := m[k]; ok && c.charge(1) {
				out[k] = c.copyOf(v)
			}
		}
		return out
	}
	if c.only == nil && !c.charge(len(m)) {
		return map[string]any{}
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		if c.only == nil || c.only[k] && c.charge(1) {
			out[k] = c.copyOf(v)
		}
	}
	return out
}

// copyOf copies tables and lists. Of lists nothing is left where only some keys
// are taken, because no key leads into one.
func (c *coalescer) copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return v
		}
		return c.copyMap(v)
	case []any:
		if v == nil {
			return v
		}
		if c.only != nil || !c.charge(len(v)) {
			return []any{}
		}
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = c.copyOf(item)
		}
		return out
	}
	return v
}
