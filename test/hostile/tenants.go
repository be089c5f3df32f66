//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing/fstest"

	"github.com/fairlead-dev/fairlead/render"
)

// SortCases sorts cases by name: the order of maps is random, and the shortened
// form takes every so many cases.
func SortCases(cases []Case) {
	slices.SortFunc(cases, func(a, b Case) int { return strings.Compare(a.Name, b.Name) })
}

// memoryChart takes nearly all the memory that a render may take.
var memoryChart = func() *render.Chart {
	chart, err := render.LoadFS(fstest.MapFS{
		"Chart.yaml":       {Data: []byte("apiVersion: v2\nname: web\nversion: 1.0.0\n")},
		"templates/x.yaml": {Data: []byte(`{{ $kept := dict }}{{ range $i := until 7 }}{{ $_ := set $kept (print $i) (repeat 3500000 (print $i)) }}{{ end }}`)},
	})
	if err != nil {
		panic(err)
	}
	return chart
}()

// tenantLimits are those of each tenant.
var tenantLimits = render.Limits{MemoryBytes: 32 << 20}

// atOnce runs something for so many tenants at once, who share twice that.
func atOnce(tenants int, run func(*render.Share) error) error {
	budget := render.NewBudget(2 * tenantLimits.MemoryBytes)
	failed := make([]error, tenants)
	var all sync.WaitGroup
	for i := range tenants {
		all.Go(func() { failed[i] = run(budget.Share(fmt.Sprint(i))) })
	}
	all.Wait()
	if bytes, waiting := budget.InUse(); bytes != 0 || waiting != 0 {
		failed = append(failed, fmt.Errorf("%d bytes are left in use, %d requests wait", bytes, waiting))
	}
	return errors.Join(failed...)
}
