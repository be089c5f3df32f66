package engine

import (
	"fmt"
	"os"
	"strings"

	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// fallenBack reports whether cfg is client-go's default for a missing
// kubeconfig, localhost:8080, where nothing listens.
func fallenBack(g genericclioptions.RESTClientGetter, cfg *rest.Config) bool {
	if strings.TrimPrefix(cfg.Host, "http://") != "localhost:8080" || os.Getenv("KUBERNETES_MASTER") != "" {
		return false
	}
	if flags, ok := g.(*genericclioptions.ConfigFlags); ok && flags.APIServer != nil && *flags.APIServer != "" {
		return false // given by the user
	}
	raw, err := g.ToRawKubeConfigLoader().RawConfig()
	return err == nil && len(raw.Clusters) == 0
}

// noKubeconfig returns ErrNoKubeconfig with the files that were looked for.
func noKubeconfig(g genericclioptions.RESTClientGetter) error {
	where := clientcmd.RecommendedConfigPathEnvVar + " is not set"
	if list := os.Getenv(clientcmd.RecommendedConfigPathEnvVar); list != "" {
		where = clientcmd.RecommendedConfigPathEnvVar + "=" + list
	}
	if access := g.ToRawKubeConfigLoader().ConfigAccess(); access != nil {
		if files := access.GetLoadingPrecedence(); len(files) > 0 {
			where += "; looked for " + strings.Join(files, ", ")
		}
	}
	return &Error{
		Op: "new engine", Err: fmt.Errorf("%w (%s)", ErrNoKubeconfig, where),
		Hint: "set " + clientcmd.RecommendedConfigPathEnvVar + " to the kubeconfig of the cluster, or pass --kubeconfig",
	}
}
