package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/pflag"
	kwokconfig "sigs.k8s.io/kwok/pkg/config"
	kwok "sigs.k8s.io/kwok/pkg/kwok/cmd"
	kwoklog "sigs.k8s.io/kwok/pkg/log"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

// partNodes is the part that is not of Kubernetes: it is of this version for every
// control plane, of which it is a client.
const partNodes = "kwok"

func runPart(args []string) error {
	return parts.Run(args, func(home, name string, args []string) error {
		if name != partNodes {
			return fmt.Errorf("%w: %q", parts.ErrUnknown, name)
		}
		return runNodes(home, args)
	})
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
