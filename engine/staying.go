package engine

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// tellStaying adds to an uninstall's report the CRDs of the chart's crds/
// folder, which are no part of any manifest and stay, as with Helm. Without
// the right to read them they are taken to be there.
func (pl *planning) tellStaying(ctx context.Context, p *Plan) error {
	files, err := pl.past.last.Definitions()
	if err != nil {
		return fmt.Errorf("read the stored chart: %w", err)
	}
	for _, f := range files {
		objects, err := parseManifest(string(f.Data))
		if err != nil {
			continue // nor was it installed
		}
		for _, o := range objects {
			it, err := pl.newItem(ctx, o.Unstructured, f.Name, nil)
			if err != nil || it.mapping.GroupVersionKind.GroupKind() != crdKind {
				continue
			}
			_, err = pl.e.c.resource(it.mapping, "").Get(ctx, it.object.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			p.Report.Changes = append(p.Report.Changes, diff.Change{
				Object: it.object, Action: diff.Kept, Source: f.Name,
				Reason: "a CRD of the chart's crds/ folder stays, and with it all objects of its kind",
			})
		}
	}
	return nil
}
