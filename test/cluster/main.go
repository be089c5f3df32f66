// Command cluster is a real Kubernetes control plane in one binary, for tests
// and demonstrations: etcd, kube-apiserver, kube-controller-manager and
// kube-scheduler from their own Go packages, and KWOK in place of the kubelets.
//
//	cluster start             runs one until Ctrl-C and prints its kubeconfig
//	cluster exec -- CMD ARGS  runs CMD against one of its own
//
// README.md describes what it simulates and how tests select failures.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

const usage = `usage:
  cluster start [flags]               run a cluster until Ctrl-C
  cluster exec [flags] -- CMD ARGS…   run CMD with KUBECONFIG set to a cluster that ends with it

Flags: "cluster start -h" and "cluster exec -h" list them.
`

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	verb, args := os.Args[1], os.Args[2:]
	var err error
	switch verb {
	case "start":
		err = start(args)
	case "exec":
		err = execute(args)
	case parts.Verb:
		err = runPart(args)
	case "help", "-h", "-help", "--help":
		fmt.Print(usage)
	default:
		fmt.Fprintf(os.Stderr, "cluster: unknown command %q\n%s", verb, usage)
		os.Exit(2)
	}
	// The command that ran under "exec" has printed its error already.
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && verb == "exec" {
		os.Exit(exitCode(exit))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "cluster: %v\n", err)
		os.Exit(1)
	}
}
