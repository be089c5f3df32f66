package render

import (
	"context"

	"github.com/fairlead-dev/fairlead/internal/chartfile"
)

type compiledSets struct{}

func (c *Chart) execute(ctx context.Context, instance *chartfile.Instance, data chartfile.Data, in Input) (map[string]string, error) {
	return instance.RenderWithHelm(data)
}
