// Command build builds the test cluster or, with -version, the control plane of
// another version of Kubernetes, unless its binary exists already, and prints the
// binary's path. Progress goes to stderr.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	version := flag.String("version", "", "`minor` version such as 1.34; empty: the test cluster itself")
	flag.Parse()
	build := testcluster.Build
	if *version != "" {
		build = func(ctx context.Context, progress io.Writer) (string, error) {
			return testcluster.BuildControlPlane(ctx, *version, progress)
		}
	}
	path, err := build(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
