// Command build builds the test cluster, unless its binary exists already, and
// prints the binary's path. Progress goes to stderr.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"github.com/fairlead-dev/fairlead/internal/testcluster"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	path, err := testcluster.Build(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(path)
}
