package render

// Over returns the values over others, by the rules of Helm when it goes on from
// the values of an earlier release, or combines values with a chart's own: maps
// merge, all else is replaced, and a null deletes what is below it and is gone
// itself; one with nothing below it stays. Neither is changed. Origins are those
// of both.
func (v Values) Over(below Values) Values {
	if v.data == nil {
		return below
	}
	if below.data == nil {
		return v
	}
	out := Values{data: hide(over(v.merged(), below.merged())), origins: &origins{}}
	for _, o := range []*origins{below.origins, v.origins} {
		if o != nil {
			out.origins.layers = append(out.origins.layers, o.layers...)
		}
	}
	return out
}

func over(above, below map[string]any) map[string]any {
	out := copyMap(below)
	for k, v := range above {
		old := out[k]
		if v == nil && old != nil {
			delete(out, k)
			continue
		}
		upper, isMap := v.(map[string]any)
		lower, wasMap := old.(map[string]any)
		if isMap && wasMap && upper != nil && lower != nil {
			out[k] = over(upper, lower)
			continue
		}
		out[k] = copyValue(v)
	}
	return out
}
