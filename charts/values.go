package charts

import (
	"fmt"

	"github.com/fairlead-dev/fairlead/render"
)

// Values returns what a values file with the same content would give. It fails only on content that JSON cannot hold.
func (v WebAppValues) Values() (render.Values, error) { return valuesOf("WebAppValues", v) }

// Values returns what a values file with the same content would give. It fails only on content that JSON cannot hold.
func (v DatabaseValues) Values() (render.Values, error) { return valuesOf("DatabaseValues", v) }

func valuesOf(name string, typed any) (render.Values, error) {
	values, err := valuesMap(typed)
	if err != nil {
		return render.Values{}, fmt.Errorf("charts: %s: %w", name, err)
	}
	return render.MergeValues(render.FromMap(name, values))
}
