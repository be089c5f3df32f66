package engine

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/fairlead-dev/fairlead/diff"
)

// systemNamespace exists in each cluster for as long as the cluster does.
const systemNamespace = "kube-system"

// clusterOf identifies the cluster by the release's namespace, or by
// kube-system where that does not exist yet or may not be read; empty if
// neither may be.
func (e *Engine) clusterOf(ctx context.Context, k Key, own namespaceState) (string, error) {
	if own.uid != "" {
		return clusterName(k.Namespace, own.uid), nil
	}
	for _, name := range []string{k.Namespace, systemNamespace} {
		if own.missing && name == k.Namespace {
			continue
		}
		uid, err := e.namespaceUID(ctx, name)
		switch {
		case apierrors.IsForbidden(err):
		case err != nil:
			return "", err
		case uid != "":
			return clusterName(name, uid), nil
		}
	}
	return "", nil
}

// clusterName does not show the UID, only whether two are the same.
func clusterName(namespace string, uid types.UID) string {
	sum := sha256.Sum256([]byte("fairlead.dev/plan/v1 cluster\x00" + string(uid)))
	return namespace + "/sha256:" + hex.EncodeToString(sum[:])
}

// namespaceUID is empty for a namespace that does not exist.
func (e *Engine) namespaceUID(ctx context.Context, name string) (types.UID, error) {
	ns, err := e.cluster.Typed.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read namespace %s: %w", name, err)
	}
	return ns.UID, nil
}

// CheckCluster returns an error that wraps ErrPlanCluster if a plan that was read
// from JSON was made for another cluster than the engine's, as Apply does; and one
// that wraps ErrForbidden if the namespace that identifies the cluster may not be
// read.
func (e *Engine) CheckCluster(ctx context.Context, p *Plan) error {
	return explain("check", p.Key, diff.Object{}, e.checkCluster(ctx, p))
}

// checkCluster returns an error that wraps ErrPlanCluster if the plan was made
// for another cluster, or names none although nothing else in it belongs to one
// cluster alone.
func (e *Engine) checkCluster(ctx context.Context, p *Plan) error {
	refuse := func(why, hint string) error {
		return &Error{Op: "apply", Key: p.Key, Hint: hint, Err: fmt.Errorf("%w: %s", ErrPlanCluster, why)}
	}
	if p.Cluster == "" {
		if p.KeyedBy == KeyedByRevision {
			return nil // under a key that no other cluster has
		}
		return refuse("it names none", "plan with the permission to get the release's namespace, or kube-system if that does not exist yet")
	}
	name, _, _ := strings.Cut(p.Cluster, "/")
	if name != p.Key.Namespace && name != systemNamespace {
		return refuse("it is identified by a namespace of another release", "make the plan again")
	}
	uid, err := e.namespaceUID(ctx, name)
	switch {
	case apierrors.IsForbidden(err):
		return &Error{Op: "apply", Key: p.Key, Hint: "grant the permission to get namespace " + name, Err: fmt.Errorf("%w: which cluster the plan is for cannot be checked: %w", ErrForbidden, err)}
	case err != nil:
		return err
	case uid == "" || !hmac.Equal([]byte(clusterName(name, uid)), []byte(p.Cluster)):
		return refuse("the UID of namespace "+name+" is another one", "make the plan again, for this cluster")
	}
	return nil
}
