// Demo deploys a web shop and its database, shows the plan of a change, applies
// it, watches it, rolls it back, and uninstalls both.
//
// It runs on the embedded test cluster, or on the cluster of -kubeconfig or
// -context; never on the current context by default.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"github.com/fairlead-dev/fairlead/engine"
	"github.com/fairlead-dev/fairlead/engine/progress"
	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out *os.File) (err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	config := genericclioptions.NewConfigFlags(false)
	flags.StringVar(config.KubeConfig, "kubeconfig", "", "run on the cluster of this kubeconfig `file`")
	flags.StringVar(config.Context, "context", "", "run on the cluster of this kubeconfig `context`")
	s := story{out: out}
	flags.StringVar(&s.namespace, "namespace", "fairlead-demo", "`namespace` to work in; created if it does not exist")
	flags.StringVar(&s.image, "image", "shop", "`image` of the web app, without its tag")
	flags.StringVar(&s.oldTag, "from", "1.0", "first `tag` of the image")
	flags.StringVar(&s.newTag, "to", "2.0", "next `tag` of the image")
	if err := flags.Parse(args); err != nil {
		return err
	}

	if *config.KubeConfig == "" && *config.Context == "" {
		cluster, err := embedded(ctx, out)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, cluster.Stop()) }()
		*config.KubeConfig = cluster.Kubeconfig
		s.embedded = true
	}

	view := progress.New(out, progress.Options{})
	defer view.Close()
	s.colour = term.IsTerminal(int(out.Fd())) && os.Getenv("NO_COLOR") == ""
	s.width, _, _ = term.GetSize(int(out.Fd())) // 0, the default, without a terminal
	eng, err := engine.NewFromGetter(config, engine.Options{OnEvent: view.OnEvent})
	if err != nil {
		return err
	}
	return s.run(ctx, eng)
}

// embedded starts a cluster that ends with the demo.
func embedded(ctx context.Context, out io.Writer) (*testcluster.Cluster, error) {
	fmt.Fprintln(out, "Starting a Kubernetes control plane on this machine (use -kubeconfig or -context for another cluster)")
	if _, err := testcluster.Build(ctx, os.Stderr); err != nil {
		return nil, err
	}
	return testcluster.Start(ctx, testcluster.Options{})
}
