package render

import (
	"context"

	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// ParseObjects parses YAML documents into objects, hooks last, as a post-renderer
// needs for what a program prints. Lists are expanded, and empty documents are left
// out. Name is the source of the objects, for errors and reports.
func ParseObjects(ctx context.Context, name, text string, limits Limits) ([]Object, error) {
	limits = limits.WithDefaults()
	p, m := newParsing(ctx, limits, limits.account(ctx)), &Manifest{}
	for d := range yamlread.Documents(text) {
		if _, _, err := m.add(p, name, d.Closed(text), d.Text); err != nil {
			return nil, documentError(name, d, err)
		}
	}
	objects := m.Objects
	for _, h := range m.Hooks {
		objects = append(objects, h.Object)
	}
	return objects, nil
}
