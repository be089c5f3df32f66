package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"
)

// partVerb is the hidden command that runs one part in a child process:
//
//	cluster part FOLDER NAME ARGS…
const partVerb = "part"

// The parts of the control plane, in the order of their start.
const (
	partEtcd        = "etcd"
	partAPIServer   = "kube-apiserver"
	partControllers = "kube-controller-manager"
	partScheduler   = "kube-scheduler"
	partNodes       = "kwok"
)

func runPart(args []string) error {
	if len(args) < 2 {
		return errors.New("part: internal command")
	}
	home, name, args := args[0], args[1], args[2:]
	go dieWithParent(home)

	switch name {
	case partEtcd:
		return runEtcd(home, args)
	case partAPIServer:
		return runCommand(apiserver.NewAPIServerCommand(), args)
	case partControllers:
		return runCommand(controllers.NewControllerManagerCommand(), args)
	case partScheduler:
		return runCommand(scheduler.NewSchedulerCommand(), args)
	case partNodes:
		return runNodes(home, args)
	}
	return fmt.Errorf("part: unknown part %q", name)
}

// dieWithParent ends this process when its stdin is closed: its parent has then
// ended without cleaning up. Every part tries to delete the folder, and the last
// one succeeds, as no other process writes to it.
func dieWithParent(home string) {
	io.Copy(io.Discard, os.Stdin)
	removeFolder(home)
	os.Exit(1)
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
	f := &folder{path: home}
	config := embed.NewConfig()
	config.Dir = f.file("etcd")
	config.UnsafeNoFsync = true
	config.LogLevel = "warn"
	config.ListenClientUrls = []url.URL{*client}
	config.AdvertiseClientUrls = []url.URL{*client}
	config.ClientTLSInfo = transport.TLSInfo{
		CertFile: f.file(certFile), KeyFile: f.file(keyFile),
		TrustedCAFile: f.file(caFile), ClientCertAuth: true,
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

// runNodes runs KWOK in place of the nodes' kubelets, and a volume provisioner,
// which is not part of Kubernetes itself.
func runNodes(home string, args []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	// KWOK parses --config before it creates its command.
	flags := pflag.NewFlagSet("kwok", pflag.ContinueOnError)
	flags.ParseErrorsAllowlist.UnknownFlags = true
	flags.Usage = func() {}
	saved := os.Args
	os.Args = slices.Concat([]string{"kwok"}, args)
	ctx, _ = kwoklog.InitFlags(ctx, flags)
	ctx, err := kwokconfig.InitFlags(ctx, flags)
	os.Args = saved
	if err != nil {
		return fmt.Errorf("kwok: %w", err)
	}
	command := kwok.NewCommand(ctx)
	// Kubernetes' packages have already registered a flag of this name.
	command.Version = ""
	command.PersistentFlags().AddFlagSet(flags)
	command.SetArgs(args)
	ended := make(chan error, 2)
	go func() { ended <- runProvider(ctx, (&folder{path: home}).file(kubeconfigFile)) }()
	go func() { ended <- command.ExecuteContext(ctx) }()
	return <-ended
}
