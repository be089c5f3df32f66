package charts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"oras.land/oras-go/v2/registry/remote/credentials"

	"github.com/fairlead-dev/fairlead/charts/internal/fetch"
	"github.com/fairlead-dev/fairlead/internal/yamlread"
)

// UserConfig names the files in which Helm and Docker keep a user's repositories and logins. The zero value has none. A
// file that does not exist counts as empty.
type UserConfig struct {
	// Repositories is Helm's repositories.yaml. Its names may stand for addresses, as "@stable", in LoadOptions.Repository
	// and in the dependencies of a chart; its logins, certificates and authorities are used for the addresses under which
	// they are listed. Its insecure_skip_tls_verify and pass_credentials_all are not honoured.
	Repositories string
	// Registries are files like Docker's config.json; the first that knows a registry decides. A credential helper that
	// one of them names is run.
	Registries []string
}

// DefaultUserConfig returns the files that helm and docker use by default: HELM_REPOSITORY_CONFIG,
// HELM_REGISTRY_CONFIG, HELM_CONFIG_HOME, XDG_CONFIG_HOME and DOCKER_CONFIG are honoured as they do. Whether the files exist
// is not looked at.
func DefaultUserConfig() (UserConfig, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return UserConfig{}, fmt.Errorf("charts: find the user's configuration: %w", err)
	}
	config := filepath.Join(home, ".config", "helm")
	switch runtime.GOOS {
	case "darwin":
		config = filepath.Join(home, "Library", "Preferences", "helm")
	case "windows":
		config = filepath.Join(os.Getenv("APPDATA"), "helm")
	}
	if xdg := os.Getenv("XDG_CONFIG_HOME"); xdg != "" {
		config = filepath.Join(xdg, "helm")
	}
	config = envOr("HELM_CONFIG_HOME", config)
	return UserConfig{
		Repositories: envOr("HELM_REPOSITORY_CONFIG", filepath.Join(config, "repositories.yaml")),
		Registries: []string{
			envOr("HELM_REGISTRY_CONFIG", filepath.Join(config, "registry", "config.json")),
			filepath.Join(envOr("DOCKER_CONFIG", filepath.Join(home, ".docker")), "config.json"),
		},
	}, nil
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

// savedRepository is an entry of repositories.yaml.
type savedRepository struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Username string `json:"username"`
	Password string `json:"password"`
	CertFile string `json:"certFile"`
	KeyFile  string `json:"keyFile"`
	CAFile   string `json:"caFile"`
}

func (c UserConfig) repositories() ([]savedRepository, error) {
	if c.Repositories == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.Repositories)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var file struct {
		Repositories []savedRepository `json:"repositories"`
	}
	if err := (yamlread.Decoder{}).Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", c.Repositories, err)
	}
	return file.Repositories, nil
}

// address returns the URL of a repository's name: @NAME or alias:NAME. Anything else stands for itself.
func (c UserConfig) address(repository string) (string, error) {
	name, ok := strings.CutPrefix(repository, "@")
	if !ok {
		if name, ok = strings.CutPrefix(repository, "alias:"); !ok {
			return repository, nil
		}
	}
	saved, err := c.repositories()
	if err != nil {
		return "", err
	}
	for _, r := range saved {
		if r.Name == name {
			return r.URL, nil
		}
	}
	return "", fmt.Errorf("no repository is known as %q: %w; helm repo add it, and set LoadOptions.User", name, ErrUnknownRef)
}

// login returns the login that is stored for a URL.
func (c UserConfig) login(ctx context.Context, address *url.URL) (fetch.Login, error) {
	if address.Scheme == "oci" {
		return c.registryLogin(ctx, address.Host)
	}
	saved, err := c.repositories()
	if err != nil {
		return fetch.Login{}, err
	}
	for _, r := range saved {
		u, err := url.Parse(r.URL)
		if err != nil || u.Scheme != address.Scheme || u.Host != address.Host {
			continue
		}
		if !strings.HasPrefix(strings.TrimSuffix(address.Path, "/")+"/", strings.TrimSuffix(u.Path, "/")+"/") {
			continue
		}
		login := fetch.Login{Username: r.Username, Password: r.Password}
		login.TLS, err = r.tls()
		return login, err
	}
	return fetch.Login{}, nil
}

func (r savedRepository) tls() (*tls.Config, error) {
	if r.CAFile == "" && r.CertFile == "" {
		return nil, nil
	}
	config := &tls.Config{}
	if r.CAFile != "" {
		authorities, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, fmt.Errorf("repository %s: %w", r.Name, err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("repository %s: %s holds no certificate", r.Name, r.CAFile)
		}
	}
	if r.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(r.CertFile, r.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("repository %s: %w", r.Name, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (c UserConfig) registryLogin(ctx context.Context, host string) (fetch.Login, error) {
	for _, path := range c.Registries {
		store, err := credentials.NewStore(path, credentials.StoreOptions{})
		if err != nil {
			return fetch.Login{}, fmt.Errorf("%s: %w", path, err)
		}
		found, err := store.Get(ctx, credentials.ServerAddressFromRegistry(host))
		if err != nil {
			return fetch.Login{}, fmt.Errorf("%s: %w", path, err)
		}
		login := fetch.Login{Username: found.Username, Password: found.Password, RefreshToken: found.RefreshToken, AccessToken: found.AccessToken}
		if login != (fetch.Login{}) {
			return login, nil
		}
	}
	return fetch.Login{}, nil
}
