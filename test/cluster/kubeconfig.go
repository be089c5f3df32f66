package main

import (
	"crypto/rand"
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/fairlead-dev/fairlead/test/cluster/parts"
)

const (
	kubeconfigFile = "kubeconfig"
	tokensFile     = "tokens.csv"
)

// writeKubeconfig creates the only static user of the cluster, an administrator
// with a random token, and the kubeconfig for this user and the parts.
func writeKubeconfig(f *folder, server string) error {
	token := rand.Text()
	if err := os.WriteFile(f.file(tokensFile), fmt.Appendf(nil, "%s,admin,admin,system:masters\n", token), 0o600); err != nil {
		return fmt.Errorf("write tokens: %w", err)
	}
	authority, err := os.ReadFile(f.file(parts.CAFile))
	if err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	const name = "fairlead"
	config := api.NewConfig()
	config.Clusters[name] = &api.Cluster{Server: server, CertificateAuthorityData: authority}
	config.AuthInfos[name] = &api.AuthInfo{Token: token}
	config.Contexts[name] = &api.Context{Cluster: name, AuthInfo: name, Namespace: "default"}
	config.CurrentContext = name
	if err := clientcmd.WriteToFile(*config, f.file(kubeconfigFile)); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
