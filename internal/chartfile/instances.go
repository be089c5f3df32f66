package chartfile

import (
	"fmt"
	"sync"

	"helm.sh/helm/v3/pkg/chart"
)

// instances keeps the instances of a chart by that part of the values on which
// they depend: few values decide which subcharts are enabled.
type instances struct {
	mu    sync.Mutex
	keys  map[*chart.Chart]keySet // nil until needed
	known map[string]*Instance
}

// maxInstances bounds how many are kept. A chart with ten optional subcharts has
// a thousand, but no user renders them all.
const maxInstances = 32

func (n *instances) of(root *chart.Chart, values map[string]any, as Helm, m *Meter) (*Instance, error) {
	keys, err := n.decidingKeys(root, m)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprint(int(as), " ", decision(values, keys[root], m))
	if m.err != nil {
		return nil, m.err
	}
	n.mu.Lock()
	i := n.known[key]
	n.mu.Unlock()
	if i != nil {
		return i, nil
	}
	i, err = newInstance(root, values, as, keys, m)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.known == nil || len(n.known) >= maxInstances {
		n.known = map[string]*Instance{}
	}
	if other := n.known[key]; other != nil {
		return other, nil // all renders share one instance, with what it has compiled
	}
	n.known[key] = i
	return i, nil
}

func (n *instances) decidingKeys(root *chart.Chart, m *Meter) (map[*chart.Chart]keySet, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.keys != nil {
		return n.keys, nil
	}
	keys := decidingKeys(root, m)
	if m.err != nil {
		return nil, m.err
	}
	n.keys = keys
	return keys, nil
}
