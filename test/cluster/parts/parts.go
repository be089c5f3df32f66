// Package parts runs the parts of a control plane, each in a process of its own:
// etcd, and Kubernetes' own commands of the version that the module is built with.
package parts

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Verb is the hidden command that runs one part in a child process:
//
//	cluster part FOLDER NAME ARGS…
const Verb = "part"

// The parts of the control plane, in the order of their start.
const (
	Etcd        = "etcd"
	APIServer   = "kube-apiserver"
	Controllers = "kube-controller-manager"
	Scheduler   = "kube-scheduler"
)

// The files of a cluster's folder that etcd reads.
const (
	CAFile   = "ca.crt"
	CertFile = "loopback.crt"
	KeyFile  = "loopback.key"
)

// ErrUnknown is returned for a part that this package does not run.
var ErrUnknown = errors.New("unknown part")

// Run runs the part that args names, after the cluster's folder, and ends when
// stdin is closed. other runs the parts that this package does not know; nil:
// they are an error.
func Run(args []string, other func(home, name string, args []string) error) error {
	if len(args) < 2 {
		return errors.New("part: internal command")
	}
	home, name, args := args[0], args[1], args[2:]
	go dieWithParent(home)

	switch name {
	case Etcd:
		return runEtcd(home, args)
	case APIServer:
		return runCommand(apiserver.NewAPIServerCommand(), args)
	case Controllers:
		return runCommand(controllers.NewControllerManagerCommand(), args)
	case Scheduler:
		return runCommand(scheduler.NewSchedulerCommand(), args)
	}
	if other != nil {
		return other(home, name, args)
	}
	return fmt.Errorf("%w: %q", ErrUnknown, name)
}

// dieWithParent ends this process when its stdin is closed: its parent has then
// ended without cleaning up. Every part tries to delete the folder, and the last
// one succeeds, as no other process writes to it.
func dieWithParent(home string) {
	io.Copy(io.Discard, os.Stdin)
	RemoveFolder(home)
	os.Exit(1)
}

// RemoveFolder deletes the folder of a cluster. It retries for a while, as a part
// that was just killed may still be writing a file.
func RemoveFolder(path string) error {
	var err error
	for range 100 {
		if err = os.RemoveAll(path); err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("remove the cluster's folder: %w", err)
}

func runCommand(command *cobra.Command, args []string) error {
	command.SetArgs(args)
	if code := cli.Run(command); code != 0 {
		return fmt.Errorf("ended with code %d", code)
	}
	return nil
}

// runEtcd serves etcd to clients with a certificate of the cluster's authority.
// Nothing is synced to disk: the data must survive the process, but not the
// machine.
func runEtcd(home string, args []string) error {
	if len(args) != 1 {
		return errors.New("etcd: the listen URL is missing")
	}
	client, err := url.Parse(args[0])
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	config := embed.NewConfig()
	config.Dir = filepath.Join(home, "etcd")
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.ListenClientUrls = []url.URL{*client}
	config.AdvertiseClientUrls = []url.URL{*client}
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: filepath.Join(home, CertFile), KeyFile: filepath.Join(home, KeyFile),
		TrustedCAFile: filepath.Join(home, CAFile), ClientCertAuth: true,
	}
	// There are no peers; any free port will do.
	config.ListenPeerUrls = []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	config.AdvertisePeerUrls = config.ListenPeerUrls
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	server, err := embed.StartEtcd(config)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	return fmt.Errorf("etcd: %w", <-server.Err())
}
