package chartfile

import "helm.sh/helm/v3/pkg/engine"

// RenderWithHelm stands in for the own executor.
func (i *Instance) RenderWithHelm(d Data) (map[string]string, error) {
	return engine.Render(i.root, d.top)
}
