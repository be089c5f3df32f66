package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

// config is the cluster's configuration from the command line.
type config struct {
	nodes        int
	storageClass string // name of the default StorageClass to create; empty: none
	controlPlane string // program of package controlplane that runs Kubernetes' parts; empty: this one
}

// cluster is a running control plane. Its methods may be called concurrently.
type cluster struct {
	config
	folder *folder
	client kubernetes.Interface

	args map[string][]string // the arguments of each part, for restarts
	died chan string         // names of parts that ended unexpectedly

	mu       sync.Mutex
	parts    map[string]*process
	programs map[string]string // of the parts that were restarted as another version
	ended    bool
}

// startLimit is how long a part may take until it is ready. Four seconds are
// usual for all of them together; a busy machine takes longer.
const startLimit = 2 * time.Minute

// launch starts a cluster and returns when pods can be created in it. On an error,
// including a cancelled ctx, processes and files are removed.
func launch(ctx context.Context, cfg config) (*cluster, error) {
	for try := 1; ; try++ {
		c, err := launchOnce(ctx, cfg)
		// Another process may have taken the port before this one listened on
		// it.
		if failed, ok := errors.AsType[*partError](err); ok && try < 3 && strings.Contains(failed.log, "address already in use") {
			continue
		}
		return c, err
	}
}

func launchOnce(ctx context.Context, cfg config) (_ *cluster, err error) {
	f, err := newFolder()
	if err != nil {
		return nil, err
	}
	c := &cluster{config: cfg, folder: f, parts: map[string]*process{}, programs: map[string]string{}, died: make(chan string, 16)}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.stop())
		}
	}()

	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	etcdURL := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	server := fmt.Sprintf("https://127.0.0.1:%d", ports[1])
	if err := errors.Join(writeCerts(f), writeStages(f)); err != nil {
		return nil, err
	}
	if err := writeKubeconfig(f, server); err != nil {
		return nil, err
	}
	c.args = arguments(f, etcdURL, ports[1])
	if c.client, err = c.clientOf(""); err != nil {
		return nil, err
	}

	// kube-apiserver waits for etcd by itself. The other parts would back off
	// between their attempts, so they are started when the API server is ready.
	for _, part := range []string{parts.Etcd, parts.APIServer} {
		if err := c.start(part); err != nil {
			return nil, err
		}
	}
	if err := c.until(ctx, parts.APIServer, c.apiReady); err != nil {
		return nil, err
	}
	for _, part := range []string{parts.Controllers, partNodes, parts.Scheduler} {
		if err := c.start(part); err != nil {
			return nil, err
		}
	}
	if err := c.seed(ctx); err != nil {
		return nil, err
	}
	if err := c.until(ctx, parts.Controllers, c.accountReady); err != nil {
		return nil, err
	}
	if err := c.until(ctx, partNodes, c.nodesReady); err != nil {
		return nil, err
	}
	return c, nil
}

// securePort is the API server's flag for its port.
const securePort = "--secure-port="

// arguments returns the arguments of each part.
func arguments(f *folder, etcdURL string, port int) map[string][]string {
	kubeconfig := "--kubeconfig=" + f.file(kubeconfigFile)
	return map[string][]string{
		parts.Etcd: {etcdURL},
		parts.APIServer: {
			"--etcd-servers=" + etcdURL,
			"--etcd-cafile=" + f.file(parts.CAFile),
			"--etcd-certfile=" + f.file(parts.CertFile),
			"--etcd-keyfile=" + f.file(parts.KeyFile),
			"--bind-address=127.0.0.1",
			// The endpoint of the Service "kubernetes" must not be a loopback address.
			"--advertise-address=192.0.2.1",
			"--endpoint-reconciler-type=none",
			fmt.Sprint(securePort, port),
			"--tls-cert-file=" + f.file(parts.CertFile),
			"--tls-private-key-file=" + f.file(parts.KeyFile),
			"--cert-dir=" + f.path,
			"--token-auth-file=" + f.file(tokensFile),
			"--authorization-mode=RBAC",
			"--service-account-issuer=https://kubernetes.default.svc",
			"--service-account-signing-key-file=" + f.file(accountKeyFile),
			"--service-account-key-file=" + f.file(accountKeyFile),
			"--service-cluster-ip-range=" + serviceRange,
			"--allow-privileged",
			"--profiling=false",
		},
		parts.Controllers: {
			kubeconfig,
			"--service-account-private-key-file=" + f.file(accountKeyFile),
			"--root-ca-file=" + f.file(parts.CAFile),
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=1000",
			"--kube-api-burst=2000",
			"--pvclaimbinder-sync-period=1s",
			"--profiling=false",
			// No kubelet reports volumes in use, so attaching would never end.
			"--controllers=*,-persistentvolume-attach-detach-controller",
		},
		parts.Scheduler: {
			kubeconfig,
			"--leader-elect=false",
			"--secure-port=0",
			"--kube-api-qps=1000",
			"--kube-api-burst=2000",
			"--profiling=false",
		},
		partNodes: {
			kubeconfig,
			"--config=" + f.file(stagesFile),
			"--manage-all-nodes=true",
			// Without leases the node lifecycle controller would mark the nodes,
			// and their pods, as not ready after 40 seconds.
			"--node-lease-duration-seconds=40",
		},
	}
}

// program runs a part; empty: this one. The caller holds c.mu.
func (c *cluster) program(part string) string {
	if program, ok := c.programs[part]; ok {
		return program
	}
	if part == partNodes {
		return ""
	}
	return c.controlPlane
}

// start starts a part and watches for its end.
func (c *cluster) start(part string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errors.New("the cluster has been stopped")
	}
	if c.args[part] == nil {
		return fmt.Errorf("unknown part %q; the parts are %s", part, strings.Join(c.names(), ", "))
	}
	p, err := startProcess(c.program(part), c.folder, part, c.args[part])
	if err != nil {
		return err
	}
	c.parts[part] = p
	go func() {
		<-p.exited
		if p.died() {
			c.died <- part
		}
	}()
	return nil
}

func (c *cluster) part(name string) (*process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.parts[name]
	if !ok {
		return nil, fmt.Errorf("unknown part %q; the parts are %s", name, strings.Join(c.names(), ", "))
	}
	return p, nil
}

func (c *cluster) names() []string {
	var names []string
	for name := range c.args {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// kill ends one part with SIGKILL.
func (c *cluster) kill(name string) error {
	p, err := c.part(name)
	if err != nil {
		return err
	}
	p.kill()
	return nil
}

// restart starts a part again, with the same arguments, ports and data, after
// killing it if it is running. It returns when the API server is ready. program is
// the one that runs the part from now on; empty: the same as before.
func (c *cluster) restart(ctx context.Context, name, program string) error {
	if err := c.kill(name); err != nil {
		return err
	}
	if program != "" {
		c.mu.Lock()
		c.programs[name] = program
		c.mu.Unlock()
	}
	if err := c.start(name); err != nil {
		return err
	}
	etcd, err := c.part(parts.Etcd)
	if err != nil {
		return err
	}
	server, err := c.part(parts.APIServer)
	if err != nil {
		return err
	}
	// If one of these two was killed, there is nothing to wait for.
	for _, p := range []*process{etcd, server} {
		select {
		case <-p.exited:
			if p.died() {
				return p.failed("ended unexpectedly")
			}
			return nil
		default:
		}
	}
	return c.until(ctx, name, c.apiReady)
}

// secondServer is the name of an API server beside the first, on the same etcd.
const secondServer = parts.APIServer + secondSuffix

// addServer starts a second API server and returns its URL when it is ready. An
// empty program is this one.
func (c *cluster) addServer(ctx context.Context, program string) (string, error) {
	ports, err := freePorts(1)
	if err != nil {
		return "", err
	}
	args := slices.Clone(c.args[parts.APIServer])
	for i, arg := range args {
		if strings.HasPrefix(arg, securePort) {
			args[i] = fmt.Sprint(securePort, ports[0])
		}
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	client, err := c.clientOf(url)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	exists := c.args[secondServer] != nil
	c.args[secondServer], c.programs[secondServer] = args, program
	c.mu.Unlock()
	if exists {
		return "", errors.New("there is a second API server already")
	}
	if err := c.start(secondServer); err != nil {
		return "", err
	}
	return url, c.until(ctx, secondServer, func(ctx context.Context) error { return apiReady(ctx, client) })
}

// clientOf is an administrator's client of the API server at a URL; empty: of the
// first one.
func (c *cluster) clientOf(url string) (kubernetes.Interface, error) {
	rc, err := clientcmd.BuildConfigFromFlags(url, c.folder.file(kubeconfigFile))
	if err != nil {
		return nil, err
	}
	rc.QPS, rc.Burst = -1, -1
	return kubernetes.NewForConfig(rc)
}

// stop ends all parts and deletes the folder. It may be called again.
func (c *cluster) stop() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return nil
	}
	c.ended = true
	var wait sync.WaitGroup
	for _, p := range c.parts {
		wait.Go(p.kill)
	}
	wait.Wait()
	return c.folder.remove()
}

// until waits for a condition that the named part must fulfil.
func (c *cluster) until(ctx context.Context, part string, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("timeout"))
	defer cancel()
	for {
		p, err := c.part(part)
		if err != nil {
			return err
		}
		err = ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return p.failed("ended before it was ready")
		case name := <-c.died:
			if q, err := c.part(name); err == nil {
				return q.failed("ended unexpectedly")
			}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return p.failed(fmt.Sprintf("was not ready after %v (%v)", startLimit, err))
			}
			return ctx.Err()
		case <-time.After(25 * time.Millisecond):
		}
	}
}

// freePorts returns unused ports of 127.0.0.1.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		// All stay open until the last one is found, so that they differ.
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
