package engine

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fairlead-dev/fairlead/diff"
)

// createNamespace creates the release's own namespace, which its lock and its
// history are stored in. One that the manifest holds is created with the
// release's marks, so that the next plan recognises it if this process dies,
// and is reported when it is applied.
func (e *Engine) createNamespace(ctx context.Context, p *Plan) error {
	begun := time.Now()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Key.Namespace}}
	own := p.work.ownNamespace()
	if own != nil {
		ns.Labels, ns.Annotations = own.object.desired.GetLabels(), own.object.desired.GetAnnotations()
	}
	_, err := e.cluster.Typed.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{FieldManager: e.opts.FieldManager})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	if own == nil {
		o := diff.Object{Version: "v1", Kind: "Namespace", Name: p.Key.Namespace}
		e.events.emit(Applied{about(p.Key), o, diff.Created, time.Since(begun)})
	}
	return nil
}
