package cluster

import (
	"errors"
	"fmt"
	"net/http"

	"k8s.io/client-go/discovery"
	appsv1 "k8s.io/client-go/kubernetes/typed/apps/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	coordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	storagev1 "k8s.io/client-go/kubernetes/typed/storage/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

// Typed has typed clients for the groups that the engine reads and writes itself.
// client-go's clientset has one for each version of each group, and links them all.
type Typed struct {
	apps          *appsv1.AppsV1Client
	authorization *authorizationv1.AuthorizationV1Client
	coordination  *coordinationv1.CoordinationV1Client
	core          *corev1.CoreV1Client
	storage       *storagev1.StorageV1Client
	discovery     *discovery.DiscoveryClient
}

// newTyped makes the clients; as those of the clientset they share cfg's limit of
// requests.
func newTyped(cfg *rest.Config, client *http.Client) (t *Typed, err error) {
	if cfg.RateLimiter == nil && cfg.QPS > 0 {
		if cfg.Burst <= 0 {
			return nil, errors.New("the configuration of the client has a QPS and no Burst")
		}
		cfg = rest.CopyConfig(cfg)
		cfg.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(cfg.QPS, cfg.Burst)
	}
	t = &Typed{}
	if t.apps, err = appsv1.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for apps: %w", err)
	}
	if t.authorization, err = authorizationv1.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for authorization.k8s.io: %w", err)
	}
	if t.coordination, err = coordinationv1.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for coordination.k8s.io: %w", err)
	}
	if t.core, err = corev1.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for the core group: %w", err)
	}
	if t.storage, err = storagev1.NewForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for storage.k8s.io: %w", err)
	}
	if t.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(cfg, client); err != nil {
		return nil, fmt.Errorf("make the client for discovery: %w", err)
	}
	return t, nil
}

func (t *Typed) AppsV1() appsv1.AppsV1Interface                            { return t.apps }
func (t *Typed) AuthorizationV1() authorizationv1.AuthorizationV1Interface { return t.authorization }
func (t *Typed) CoordinationV1() coordinationv1.CoordinationV1Interface    { return t.coordination }
func (t *Typed) CoreV1() corev1.CoreV1Interface                            { return t.core }
func (t *Typed) StorageV1() storagev1.StorageV1Interface                   { return t.storage }
func (t *Typed) Discovery() discovery.DiscoveryInterface                   { return t.discovery }
