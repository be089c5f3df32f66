package main

import (
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// getter provides Helm's clients. Discovery is cached per process, which is the
// best that Helm's own caches reach.
type getter struct {
	config    *rest.Config
	namespace string
	caches    *caches
}

// caches are shared by the getters of all namespaces.
type caches struct {
	once   sync.Once
	disco  discovery.CachedDiscoveryInterface
	mapper meta.RESTMapper
	err    error
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g *getter) open() error {
	g.caches.once.Do(func() {
		client, err := discovery.NewDiscoveryClientForConfig(g.config)
		if err != nil {
			g.caches.err = err
			return
		}
		g.caches.disco = memory.NewMemCacheClient(client)
		g.caches.mapper = restmapper.NewDeferredDiscoveryRESTMapper(g.caches.disco)
	})
	return g.caches.err
}

func (g *getter) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return g.caches.disco, g.open()
}

func (g *getter) ToRESTMapper() (meta.RESTMapper, error) {
	return g.caches.mapper, g.open()
}

func (g *getter) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	overrides := &clientcmd.ConfigOverrides{Context: clientcmdapi.Context{Namespace: g.namespace}}
	return clientcmd.NewDefaultClientConfig(*clientcmdapi.NewConfig(), overrides)
}
