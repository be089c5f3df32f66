// Command controlplane runs a part of a control plane, in the version that it is
// built with: of another version than the test cluster itself, by another module
// file of versions/. The test cluster starts it for each part; see -control-plane.
package main

import (
	"fmt"
	"os"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

func main() {
	if len(os.Args) < 2 || os.Args[1] != parts.Verb {
		fmt.Fprintln(os.Stderr, "controlplane: the test cluster runs it, see its flag -control-plane")
		os.Exit(2)
	}
	if err := parts.Run(os.Args[2:], nil); err != nil {
		fmt.Fprintf(os.Stderr, "controlplane: %v\n", err)
		os.Exit(1)
	}
}
