package main

import (
	"path/filepath"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/disk"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// getter provides Helm's clients. Discovery is kept for the process, or on disk as
// the helm command keeps it, for six hours without asking the API server.
type getter struct {
	config    *rest.Config
	namespace string
	caches    *caches
}

// caches are shared by the getters of all namespaces.
type caches struct {
	dir    string // empty: in memory
	once   sync.Once
	disco  discovery.CachedDiscoveryInterface
	mapper meta.RESTMapper
	err    error
}

func (g *getter) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(g.config), nil }

func (g *getter) open() error {
	g.caches.once.Do(func() {
		if dir := g.caches.dir; dir != "" {
			g.caches.disco, g.caches.err = disk.NewCachedDiscoveryClientForConfig(g.config, filepath.Join(dir, "discovery"), filepath.Join(dir, "http"), 6*time.Hour)
			if g.caches.err == nil {
				g.caches.mapper = restmapper.NewDeferredDiscoveryRESTMapper(g.caches.disco)
			}
			return
		}
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
