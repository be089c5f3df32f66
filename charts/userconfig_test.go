package charts

import (
	"encoding/base64"
	"encoding/pem"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Logins, names and authorities come from the files that helm and docker keep.
func TestUserConfig(t *testing.T) {
	web := newWebServer(t)
	web.wantLogin("robot:s3cret")
	web.publish(t, "/stable", newPacked(t, "shop", "1.0.0"))
	oci := newOCIServer(t)
	oci.push(t, "team/shop", newPacked(t, "shop", "2.0.0"), "", nil)
	oci.wantLogin("carrier:s3cret2")
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"ca.pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})),
		"repositories.yaml": `apiVersion: ""
repositories:
- {name: other, url: 'https://charts.example.com', username: x, password: y}
- {name: stable, url: '` + web.URL + `/stable', username: robot, password: s3cret, caFile: ` + filepath.Join(dir, "ca.pem") + `}
`,
		"registry.json": `{"auths": {"registry.example.com": {"auth": "eDp5"}}}`,
		"docker.json":   `{"auths": {"` + oci.host() + `": {"auth": "` + base64.StdEncoding.EncodeToString([]byte("carrier:s3cret2")) + `"}}}`,
		"broken.yaml":   "repositories: {",
	})
	file := func(name string) string { return filepath.Join(dir, name) }
	user := UserConfig{Repositories: file("repositories.yaml"), Registries: []string{file("none.json"), file("registry.json"), file("docker.json")}}

	wantLoaded(t, "shop 1.0.0", "shop", LoadOptions{Repository: "@stable", User: user})
	wantLoaded(t, "shop 1.0.0", web.URL+"/stable/shop-1.0.0.tgz", LoadOptions{User: user})
	wantLoaded(t, "shop 2.0.0", "oci://"+oci.host()+"/team/shop", LoadOptions{User: user, Transport: trusting(oci.webServer)})

	// Only where it is listed, and only when asked for.
	wantRefused(t, "shop", LoadOptions{Repository: web.URL, User: user, Transport: trusting(web)}, ErrUnauthorized)
	wantRefused(t, "shop", LoadOptions{Repository: web.URL + "/stable-not", User: user, Transport: trusting(web)}, ErrUnauthorized)
	wantRefused(t, "shop", LoadOptions{Repository: web.URL + "/stable", Transport: trusting(web)}, ErrUnauthorized)
	wantRefused(t, "shop", LoadOptions{Repository: "@stable"}, ErrUnknownRef, "helm repo add")
	wantRefused(t, "shop", LoadOptions{Repository: "@stable", User: UserConfig{Repositories: file("broken.yaml")}}, nil, "broken.yaml")
	wantRefused(t, "oci://"+oci.host()+"/team/shop", LoadOptions{User: UserConfig{Registries: []string{file("broken.yaml")}}}, nil, "broken.yaml")
}

func TestDefaultUserConfig(t *testing.T) {
	t.Setenv("HOME", "/home/shop")
	for _, name := range []string{"HELM_REPOSITORY_CONFIG", "HELM_REGISTRY_CONFIG", "HELM_CONFIG_HOME", "XDG_CONFIG_HOME", "DOCKER_CONFIG"} {
		t.Setenv(name, "")
	}
	expect := func(want UserConfig) {
		t.Helper()
		got, err := DefaultUserConfig()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
	t.Setenv("XDG_CONFIG_HOME", "/xdg")
	expect(UserConfig{Repositories: "/xdg/helm/repositories.yaml", Registries: []string{"/xdg/helm/registry/config.json", "/home/shop/.docker/config.json"}})
	t.Setenv("HELM_CONFIG_HOME", "/helm")
	t.Setenv("DOCKER_CONFIG", "/docker")
	expect(UserConfig{Repositories: "/helm/repositories.yaml", Registries: []string{"/helm/registry/config.json", "/docker/config.json"}})
	t.Setenv("HELM_REPOSITORY_CONFIG", "/r.yaml")
	t.Setenv("HELM_REGISTRY_CONFIG", "/r.json")
	expect(UserConfig{Repositories: "/r.yaml", Registries: []string{"/r.json", "/docker/config.json"}})
}
